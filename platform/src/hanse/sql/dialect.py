"""The projection language as a sqlglot dialect: Flink SQL's tokens, statements and special calls.

Every function call is kept as written (`Anonymous`), so that meaning is given in one place, the
function table of `hanse.sql.functions`, and never by sqlglot's own catalogue.
"""

# pyright: reportPrivateImportUsage=false, reportUnknownLambdaType=false, reportPrivateUsage=false
# sqlglot extends dialects through lambdas and names that its modules do not re-export
from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from sqlglot import exp, generator, parser, tokens
from sqlglot.dialects.dialect import Dialect
from sqlglot.tokens import TokenType


class FlinkType(exp.Expression):
    """A type as written; `this` is its text."""

    arg_types: ClassVar[dict[str, bool]] = {"this": True}


class TableArgument(exp.Expression):
    """`TABLE t [PARTITION BY …] [ORDER BY …]` as an argument of a table function."""

    arg_types: ClassVar[dict[str, bool]] = {"this": True, "partition": False, "order": False}


class TableFunction(exp.Expression):
    """`TABLE(f(…)) AS t(…)` in a FROM clause."""

    arg_types: ClassVar[dict[str, bool]] = {"this": True, "alias": False}


class SourceColumn(exp.Expression):
    """One column of CREATE TABLE: a type, or an expression it is computed by."""

    arg_types: ClassVar[dict[str, bool]] = {
        "this": True,
        "kind": False,
        "computed": False,
        "metadata": False,
        "virtual": False,
        "key": False,
        "not_null": False,
    }


class CreateTable(exp.Expression):
    """CREATE TABLE with columns, watermark, key and options."""

    arg_types: ClassVar[dict[str, bool]] = {
        "this": True,
        "columns": True,
        "watermark": False,
        "key": False,
        "options": False,
    }


class Watermark(exp.Expression):
    """`WATERMARK FOR this AS expression`."""

    arg_types: ClassVar[dict[str, bool]] = {"this": True, "expression": True}


class CreateView(exp.Expression):
    """CREATE VIEW with optional column names."""

    arg_types: ClassVar[dict[str, bool]] = {"this": True, "names": False, "expression": True}


class Setting(exp.Expression):
    """`SET 'key' = 'value'`."""

    arg_types: ClassVar[dict[str, bool]] = {"this": True, "expression": True}


class RoundTo(exp.Expression):
    """`FLOOR(x TO unit)` and `CEIL(x TO unit)`."""

    arg_types: ClassVar[dict[str, bool]] = {"this": True, "unit": True, "up": False}


class JsonCall(exp.Expression):
    """A JSON function with its clauses: `behaviour` holds ON EMPTY, ON ERROR, wrapper and the like."""

    arg_types: ClassVar[dict[str, bool]] = {
        "this": True,
        "expressions": False,
        "kind": False,
        "empty": False,
        "error": False,
        "wrapper": False,
        "on_null": False,
    }


class IsJson(exp.Expression):
    """`x IS [NOT] JSON [VALUE|SCALAR|OBJECT|ARRAY]`."""

    arg_types: ClassVar[dict[str, bool]] = {"this": True, "kind": False}


class MatchRecognize(exp.Expression):
    """A MATCH_RECOGNIZE clause, kept only so that it can be refused at its place."""

    arg_types: ClassVar[dict[str, bool]] = {"this": False}


_FREED = (
    "CURRENT_CATALOG", "CURRENT_DATE", "CURRENT_DATETIME", "CURRENT_SCHEMA", "CURRENT_TIME",
    "CURRENT_TIMESTAMP", "CURRENT_USER", "LOCALTIME", "LOCALTIMESTAMP", "SESSION_USER", "USER",
    "SESSION", "MAP", "ROW", "COMMENT", "DESC TABLE", "FORMAT", "COLLATE", "KILL", "UUID", "DIV",
    "ANALYZE", "CACHE", "CALL", "EXPLAIN", "OPTIMIZE", "PREPARE", "VACUUM", "COPY", "LOAD", "SHOW",
    "USE", "VARIADIC", "UNCACHE", "TRUNCATE", "PRAGMA", "MERGE", "ATTACH", "DETACH", "INDEX", "SET",
    "PIVOT", "UNPIVOT", "SOUNDS LIKE", "RLIKE", "REGEXP", "ILIKE", "GLOB",
    "EXECUTE", "GRANT", "REVOKE", "DECLARE", "QUALIFY", "XOR", "ISNULL", "NOTNULL", "SAMPLE", "TABLESAMPLE",
    "ASOF", "STRAIGHT_JOIN", "POSITIONAL", "CONNECT BY", "START WITH", "CLUSTER BY", "DISTRIBUTE BY",
    "SORT BY", "SETTINGS", "PREWHERE", "FINAL", "RENAME", "REFRESH", "STREAMLIT", "SUMMARIZE",
)  # fmt: skip


_COLUMN_WORDS = (
    ("not_null", "NOT NULL"),
    ("metadata", "METADATA"),
    ("virtual", "VIRTUAL"),
    ("key", "PRIMARY KEY NOT ENFORCED"),
)


_KEPT = {TokenType.INTERVAL, TokenType.NULL, TokenType.TABLE, TokenType.RANGE, TokenType.UNION}
"""Type words of sqlglot's that are other words here."""


def _json(name: str) -> Callable[[Any], exp.Expression]:
    return lambda self: self.parse_json_call(name)


class Flink(Dialect):
    """The dialect; `sqlglot.parse(text, dialect=Flink)`."""

    class Tokenizer(tokens.Tokenizer):
        """Backticks or double quotes for names, single quotes for strings."""

        IDENTIFIERS: ClassVar = ["`", '"']
        QUOTES: ClassVar = ["'"]
        STRING_ESCAPES: ClassVar = ["'"]
        COMMANDS: ClassVar = set()
        KEYWORDS: ClassVar = {
            word: kind
            for word, kind in tokens.Tokenizer.KEYWORDS.items()
            if word not in _FREED and kind not in parser.Parser.TYPE_TOKENS - _KEPT
        }

    class Parser(parser.Parser):
        """Flink's statements and calls on top of sqlglot's expressions and queries."""

        FUNCTIONS: ClassVar = {}
        NO_PAREN_FUNCTIONS: ClassVar = {}
        NO_PAREN_FUNCTION_PARSERS: ClassVar = {
            "CASE": lambda self: self._parse_case(),
        }
        FUNCTION_PARSERS: ClassVar = {
            "CAST": lambda self: self.parse_cast(exp.Cast),
            "TRY_CAST": lambda self: self.parse_cast(exp.TryCast),
            "EXTRACT": lambda self: self.parse_extract(),
            "FLOOR": lambda self: self.parse_rounding("FLOOR"),
            "CEIL": lambda self: self.parse_rounding("CEIL"),
            "CEILING": lambda self: self.parse_rounding("CEIL"),
            "SUBSTRING": lambda self: self.parse_keyword_call("SUBSTRING", ("FROM", "FOR")),
            "OVERLAY": lambda self: self.parse_keyword_call("OVERLAY", ("PLACING", "FROM", "FOR")),
            "POSITION": lambda self: self.parse_position(),
            "TRIM": lambda self: self.parse_trim(),
            "JSON_VALUE": _json("JSON_VALUE"),
            "JSON_QUERY": _json("JSON_QUERY"),
            "JSON_EXISTS": _json("JSON_EXISTS"),
            "JSON_OBJECT": _json("JSON_OBJECT"),
            "JSON_OBJECTAGG": _json("JSON_OBJECTAGG"),
            "JSON_ARRAY": _json("JSON_ARRAY"),
            "JSON_ARRAYAGG": _json("JSON_ARRAYAGG"),
        }
        STATEMENT_PARSERS: ClassVar = {
            TokenType.CREATE: lambda self: self.parse_create(),
            TokenType.INSERT: lambda self: self._parse_insert(),
        }
        RANGE_PARSERS: ClassVar = {
            kind: build
            for kind, build in parser.Parser.RANGE_PARSERS.items()
            if kind
            in (
                TokenType.BETWEEN, TokenType.IN, TokenType.IS, TokenType.LIKE, TokenType.SIMILAR_TO,
                TokenType.OVERLAPS,
            )
        }  # fmt: skip

        def _parse_statement(self) -> Any:
            if self._match_text_seq("SET"):
                return self.parse_setting()
            return super()._parse_statement()

        def _parse_types(self, *_: Any, **__: Any) -> Any:
            """No expression starts with a type: typed literals are read by `_parse_primary`."""
            return None

        def type_node(self) -> FlinkType:
            """Consume one type and keep its text."""
            if not self._curr or self._curr.token_type in (TokenType.STRING, TokenType.NUMBER):
                self.raise_error("Expected a type")
            start = self._curr
            self._advance()
            self._match_text_seq("PRECISION")
            self._match_text_seq("VARYING")
            if self._curr and self._curr.token_type in (TokenType.L_PAREN, TokenType.LT):
                self._balanced()
            for words in (
                ("WITH", "LOCAL", "TIME", "ZONE"),
                ("WITHOUT", "TIME", "ZONE"),
                ("WITH", "TIME", "ZONE"),
            ):
                if self._match_text_seq(*words):
                    break
            while self._match_texts(("ARRAY", "MULTISET")):
                pass
            text = self.sql[start.start : self._prev.end + 1]
            return self.expression(FlinkType(this=text))

        def _balanced(self) -> None:
            depth = 0
            while self._curr:
                text = self._curr.text if self._curr.token_type != TokenType.STRING else ""
                depth += text.count("<") + text.count("(") - text.count(">") - text.count(")")
                self._advance()
                if depth <= 0:
                    return
            self.raise_error("The type is not closed")

        def parse_cast(self, node: type[exp.Cast]) -> exp.Expression:
            """`CAST(x AS type)`."""
            this = self._parse_disjunction()
            if not self._match(TokenType.ALIAS):
                self.raise_error("Expected AS in CAST")
            return self.expression(node(this=this, to=self.type_node()))

        def parse_extract(self) -> exp.Expression:
            """`EXTRACT(unit FROM x)`."""
            unit = self._curr.text.upper()
            self._advance()
            self._match(TokenType.FROM)
            return self.expression(exp.Extract(this=exp.var(unit), expression=self._parse_bitwise()))

        def parse_rounding(self, name: str) -> exp.Expression:
            """`FLOOR(x)`, `FLOOR(x TO unit)`."""
            this = self._parse_bitwise()
            if self._match_text_seq("TO"):
                unit = self._curr.text.upper()
                self._advance()
                return self.expression(RoundTo(this=this, unit=unit, up=name == "CEIL"))
            return self.expression(exp.Anonymous(this=name, expressions=[this]))

        def parse_keyword_call(self, name: str, words: tuple[str, ...]) -> exp.Expression:
            """Arguments parted by commas or by the words that the standard has for them."""
            args = [self._parse_bitwise()]
            while self._match(TokenType.COMMA) or self._match_texts(words):
                args.append(self._parse_bitwise())
            return self.expression(exp.Anonymous(this=name, expressions=args))

        def parse_position(self) -> exp.Expression:
            """`POSITION(x IN y)`."""
            needle = self._parse_bitwise()
            if not self._match(TokenType.IN):
                self.raise_error("Expected IN in POSITION")
            return self.expression(
                exp.Anonymous(this="POSITION", expressions=[needle, self._parse_bitwise()])
            )

        def parse_trim(self) -> exp.Expression:
            """`TRIM([BOTH|LEADING|TRAILING] [x] FROM y)`; arguments become side, characters, text."""
            side = "BOTH"
            if self._match_texts(("BOTH", "LEADING", "TRAILING")):
                side = self._prev.text.upper()
            first: Any = exp.Literal.string(" ") if self._match(TokenType.FROM) else self._parse_bitwise()
            if self._prev.token_type == TokenType.FROM or self._match(TokenType.FROM):
                chars, text = first, self._parse_bitwise()
            else:
                chars, text = exp.Literal.string(" "), first
            return self.expression(
                exp.Anonymous(this="TRIM", expressions=[exp.Literal.string(side), chars, text])
            )

        def parse_json_call(self, name: str) -> exp.Expression:
            """A JSON function with the clauses of SQL:2016 that Flink has."""
            call = JsonCall(this=name, expressions=[])
            if not (self._curr and self._curr.token_type == TokenType.R_PAREN):
                self._json_arguments(call)
            self._json_clauses(call)
            return self.expression(call)

        def _json_arguments(self, call: JsonCall) -> None:
            keyed = call.name in ("JSON_OBJECT", "JSON_OBJECTAGG")
            while not self._json_clause_ahead():
                self._match_text_seq("KEY")
                call.append("expressions", self._parse_bitwise() if keyed else self._parse_disjunction())
                if keyed and self._match_texts(("VALUE", ":")):
                    call.append("expressions", self._parse_disjunction())
                self._match(TokenType.COMMA)
                if not self._curr or self._curr.token_type == TokenType.R_PAREN:
                    return

        def _json_clause_ahead(self) -> bool:
            word = self._curr.text.upper() if self._curr else ""
            after = self._next.text.upper() if self._next else ""
            return (
                word in ("RETURNING", "DEFAULT", "WITH", "WITHOUT", "ERROR", "ABSENT")
                or after == "ON"
                or (after in ("ARRAY", "OBJECT", "UNKNOWN") and word in ("EMPTY",))
            )

        def _json_clauses(self, call: JsonCall) -> None:
            while self._curr and self._curr.token_type != TokenType.R_PAREN:
                if self._match_text_seq("RETURNING"):
                    call.set("kind", self.type_node())
                elif self._match_texts(("WITH", "WITHOUT")):
                    words = [self._prev.text.upper()]
                    while self._match_texts(("CONDITIONAL", "UNCONDITIONAL", "ARRAY", "WRAPPER")):
                        words.append(self._prev.text.upper())
                    call.set("wrapper", " ".join(words))
                else:
                    self._json_behaviour(call)

        def _json_behaviour(self, call: JsonCall) -> None:
            value: Any
            if self._match_text_seq("DEFAULT"):
                value = self._parse_bitwise()
            else:
                words: list[str] = []
                while self._curr and self._curr.text.upper() != "ON" and len(words) < 3:
                    words.append(self._curr.text.upper())
                    self._advance()
                value = " ".join(words)
            if not self._match_text_seq("ON"):
                self.raise_error("Expected ON in the JSON function")
            place = self._curr.text.lower()
            self._advance()
            call.set({"null": "on_null"}.get(place, place), value)

        def _parse_is(self, this: Any) -> Any:
            index = self._index
            negate = self._match(TokenType.NOT)
            if self._match_text_seq("JSON"):
                kind = (
                    self._prev.text.upper()
                    if self._match_texts(("VALUE", "SCALAR", "OBJECT", "ARRAY"))
                    else None
                )
                node = self.expression(IsJson(this=this, kind=kind))
                return self.expression(exp.Not(this=node)) if negate else node
            if self._match_texts(("UNKNOWN",)):
                node = self.expression(exp.Is(this=this, expression=exp.Null()))
                return self.expression(exp.Not(this=node)) if negate else node
            self._retreat(index)
            return super()._parse_is(this)

        def _parse_lambda(self, alias: bool = False) -> Any:
            if self._curr and self._curr.token_type == TokenType.TABLE:
                return self.parse_table_argument()
            if self._curr and self._next and self._next.token_type == TokenType.FARROW:
                name = self._curr.text.upper()
                self._advance(2)
                return self.expression(exp.Kwarg(this=exp.var(name), expression=self._parse_lambda()))
            return super()._parse_lambda(alias=alias)

        def parse_table_argument(self) -> exp.Expression:
            """`TABLE t PARTITION BY (…)`."""
            self._match(TokenType.TABLE)
            wrapped = self._match(TokenType.L_PAREN)
            this = self._parse_select() if wrapped else self._parse_table_parts()
            if wrapped:
                self._match_r_paren()
            partition = order = None
            if self._match(TokenType.PARTITION_BY):
                paren = self._match(TokenType.L_PAREN)
                # outside parentheses a comma ends the list: the next argument follows
                partition = self._parse_csv(self._parse_bitwise) if paren else [self._parse_bitwise()]
                if paren:
                    self._match_r_paren()
            if self._match(TokenType.ORDER_BY):
                order = [self._parse_ordered()]
            return self.expression(TableArgument(this=this, partition=partition, order=order))

        def _parse_table(self, *args: Any, **kwargs: Any) -> Any:
            if (
                self._curr
                and self._curr.token_type == TokenType.TABLE
                and self._next
                and self._next.token_type == TokenType.L_PAREN
            ):
                start = self._curr
                self._advance(2)
                node = TableFunction(this=self._parse_function())
                node.update_positions(start)
                self._match_r_paren()
                alias = self._parse_table_alias(alias_tokens=self.TABLE_ALIAS_TOKENS)
                node.set("alias", alias)
                return self.expression(node)
            this = super()._parse_table(*args, **kwargs)
            if isinstance(this, exp.Table) and not this.args.get("version"):
                this.set("version", self._parse_version())
            if self._curr and self._curr.text.upper() == "MATCH_RECOGNIZE":
                node = MatchRecognize()
                node.update_positions(self._curr)
                return self._refuse_match(node)
            return this

        def _parse_table_alias(self, *args: Any, **kwargs: Any) -> Any:
            if self._curr and self._curr.text.upper() == "MATCH_RECOGNIZE":
                return None
            return super()._parse_table_alias(*args, **kwargs)

        def _refuse_match(self, node: MatchRecognize) -> Any:
            self._advance()
            depth = 0
            while self._curr:
                depth += {TokenType.L_PAREN: 1, TokenType.R_PAREN: -1}.get(self._curr.token_type, 0)
                self._advance()
                if depth <= 0:
                    break
            super()._parse_table_alias()
            return node

        def _parse_atom(self) -> Any:
            word = self._curr.text.upper() if self._curr else ""
            typed = word in ("DATE", "TIME", "TIMESTAMP", "TIMESTAMP_LTZ")
            if typed and self._next and self._next.token_type == TokenType.STRING:
                self._advance()
                return self.expression(exp.Cast(this=self._parse_string(), to=FlinkType(this=word)))
            return super()._parse_atom()

        def _parse_primary(self) -> Any:
            word = self._curr.text.upper() if self._curr else ""
            if (
                word == "MAP"
                and self._curr.token_type != TokenType.IDENTIFIER
                and self._next
                and self._next.token_type == TokenType.L_BRACKET
            ):
                self._advance(2)
                args = self._parse_csv(self._parse_disjunction)
                self._match(TokenType.R_BRACKET)
                return self.expression(exp.Anonymous(this="MAP", expressions=args))
            return super()._parse_primary()

        def parse_setting(self) -> exp.Expression:
            """`SET 'key' = 'value'`."""
            key = self._parse_string()
            self._match(TokenType.EQ)
            return self.expression(Setting(this=key, expression=self._parse_string()))

        def parse_create(self) -> exp.Expression:
            """CREATE [TEMPORARY] TABLE | VIEW."""
            self._match_text_seq("OR", "REPLACE")
            self._match_texts(("TEMPORARY",))
            if self._match(TokenType.VIEW):
                return self._create_view()
            if self._match(TokenType.TABLE):
                return self._create_table()
            return self.raise_error("Expected TABLE or VIEW after CREATE")  # type: ignore[func-returns-value]

        def _create_view(self) -> exp.Expression:
            self._match_text_seq("IF", "NOT", "EXISTS")
            name = self._parse_table_parts(schema=True)
            names = self._parse_wrapped_id_vars() if self._curr.token_type == TokenType.L_PAREN else None
            if self._match_text_seq("COMMENT"):
                self._parse_string()
            self._match(TokenType.ALIAS)
            query = self._parse_select() or self.raise_error("Expected a query after AS")
            query = self._parse_set_operations(query)
            return self.expression(CreateView(this=name, names=names, expression=query))

        def _create_table(self) -> exp.Expression:
            self._match_text_seq("IF", "NOT", "EXISTS")
            node = CreateTable(this=self._parse_table_parts(schema=True), columns=[])
            self._match_l_paren()
            while True:
                self._table_element(node)
                if not self._match(TokenType.COMMA):
                    break
            self._match_r_paren()
            if self._match_text_seq("COMMENT"):
                self._parse_string()
            if self._match_text_seq("DISTRIBUTED"):
                while (
                    self._curr
                    and self._curr.text.upper() != "WITH"
                    and self._curr.token_type != TokenType.SEMICOLON
                ):
                    self._advance()
            if self._match(TokenType.PARTITION_BY) or self._match_text_seq("PARTITIONED", "BY"):
                self._parse_wrapped_id_vars()
            if self._match(TokenType.WITH):
                node.set("options", self._parse_wrapped_csv(self._parse_option, optional=True))
            return self.expression(node)

        def _parse_option(self) -> exp.Expression:
            key = self._parse_string()
            self._match(TokenType.EQ)
            return self.expression(exp.EQ(this=key, expression=self._parse_string()))

        def _table_element(self, node: CreateTable) -> None:
            if self._match_text_seq("WATERMARK", "FOR"):
                column = self._parse_column()
                self._match(TokenType.ALIAS)
                node.set("watermark", Watermark(this=column, expression=self._parse_disjunction()))
                return
            if self._match_text_seq("CONSTRAINT"):
                self._parse_id_var()
            if self._match(TokenType.PRIMARY_KEY):
                node.set("key", self._parse_wrapped_id_vars())
                self._match_text_seq("NOT", "ENFORCED")
                return
            self._column_element(node)

        def _column_element(self, node: CreateTable) -> None:
            column = SourceColumn(this=self._parse_id_var(any_token=True))
            if self._match(TokenType.ALIAS):
                column.set("computed", self._parse_disjunction())
            else:
                column.set("kind", self.type_node())
            while True:
                if self._match_text_seq("METADATA"):
                    column.set("metadata", True)
                    if self._match(TokenType.FROM):
                        self._parse_string()
                elif self._match_text_seq("NOT", "NULL"):
                    column.set("not_null", True)
                elif self._match(TokenType.PRIMARY_KEY):
                    column.set("key", True)
                    self._match_text_seq("NOT", "ENFORCED")
                elif self._match_text_seq("COMMENT"):
                    self._parse_string()
                elif self._match_text_seq("VIRTUAL"):
                    column.set("virtual", True)
                elif not self._match_text_seq("NULL"):
                    break
            node.append("columns", column)

    class Generator(generator.Generator):
        """Writes the dialect back, so that a text survives parsing."""

        TRANSFORMS: ClassVar = {
            **generator.Generator.TRANSFORMS,
            FlinkType: lambda _, e: e.name,
            TableArgument: lambda self, e: self.table_argument(e),
            TableFunction: lambda self, e: f"TABLE({self.sql(e, 'this')})" + self.as_alias(e),
            RoundTo: lambda self, e: (
                f"{'CEIL' if e.args.get('up') else 'FLOOR'}({self.sql(e, 'this')} TO {e.args['unit']})"
            ),
            Watermark: lambda self, e: f"WATERMARK FOR {self.sql(e, 'this')} AS {self.sql(e, 'expression')}",
            Setting: lambda self, e: f"SET {self.sql(e, 'this')} = {self.sql(e, 'expression')}",
            CreateView: lambda self, e: self.create_view(e),
            CreateTable: lambda self, e: self.create_table(e),
            SourceColumn: lambda self, e: self.source_column(e),
            IsJson: lambda self, e: f"{self.sql(e, 'this')} IS JSON {e.args.get('kind') or ''}".rstrip(),
            JsonCall: lambda self, e: self.json_call(e),
            exp.Kwarg: lambda self, e: f"{self.sql(e, 'this')} => {self.sql(e, 'expression')}",
        }

        def as_alias(self, node: exp.Expression) -> str:
            """` AS t(…)`, or nothing."""
            alias = self.sql(node, "alias")
            return f" AS {alias}" if alias else ""

        def table_argument(self, node: TableArgument) -> str:
            """`TABLE t PARTITION BY (…)`."""
            this = node.this
            text = f"TABLE {self.sql(this)}" if isinstance(this, exp.Table) else f"TABLE ({self.sql(this)})"
            if node.args.get("partition"):
                text += f" PARTITION BY ({self.expressions(node, key='partition', flat=True)})"
            if node.args.get("order"):
                text += f" ORDER BY {self.expressions(node, key='order', flat=True)}"
            return text

        def create_view(self, node: CreateView) -> str:
            """CREATE VIEW."""
            names = self.expressions(node, key="names", flat=True)
            head = f"CREATE VIEW {self.sql(node, 'this')}" + (f" ({names})" if names else "")
            return f"{head} AS {self.sql(node, 'expression')}"

        def create_table(self, node: CreateTable) -> str:
            """CREATE TABLE."""
            parts = [self.sql(column) for column in node.args["columns"]]
            if node.args.get("watermark"):
                parts.append(self.sql(node, "watermark"))
            if node.args.get("key"):
                parts.append(f"PRIMARY KEY ({self.expressions(node, key='key', flat=True)}) NOT ENFORCED")
            text = f"CREATE TABLE {self.sql(node, 'this')} ({', '.join(parts)})"
            options = self.expressions(node, key="options", flat=True)
            return text + (f" WITH ({options})" if options else "")

        def source_column(self, node: SourceColumn) -> str:
            """`name type METADATA`, or `name AS expression`."""
            if node.args.get("computed"):
                return f"{self.sql(node, 'this')} AS {self.sql(node, 'computed')}"
            words = [self.sql(node, "this"), self.sql(node, "kind")]
            words += [word for arg, word in _COLUMN_WORDS if node.args.get(arg)]
            return " ".join(words)

        def json_call(self, node: JsonCall) -> str:
            """A JSON function with its clauses."""
            args = [self.sql(arg) for arg in node.expressions]
            if node.name in ("JSON_OBJECT", "JSON_OBJECTAGG"):
                args = [f"KEY {key} VALUE {value}" for key, value in zip(args[::2], args[1::2], strict=True)]
            words = [", ".join(args)]
            if node.args.get("kind"):
                words.append(f"RETURNING {self.sql(node, 'kind')}")
            if node.args.get("wrapper"):
                words.append(node.args["wrapper"])
            for place, name in (("empty", "EMPTY"), ("error", "ERROR"), ("on_null", "NULL")):
                value = node.args.get(place)
                if value is not None:
                    text = value if isinstance(value, str) else f"DEFAULT {self.sql(value)}"
                    words.append(f"{text} ON {name}")
            return f"{node.name}({' '.join(word for word in words if word)})"
