"""The whole program of a product: its topics and products as source tables, its contract as the sink, its own SQL.

A product's `projection.sql` holds optional views and one final query; everything else follows from
descriptors and schemas, so it is written here and nowhere by hand. The text runs on Flink once the
tables get the options of its connectors.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import pyarrow as pa

from hanse.descriptors.contract import custom
from hanse.descriptors.domain import duration_ms
from hanse.errors import ConfigError, SchemaError, UnsupportedSQL
from hanse.model.mesh import Contract, MeshModel, Product, Topic
from hanse.wire.avro.types import sql_of_arrow
from hanse.wire.formats import columns_of, format_of

MAX_SQL = 1_000_000
METADATA = {
    "_partition": ("INT", "partition"),
    "_offset": ("BIGINT", "offset"),
    "_timestamp": ("TIMESTAMP(3)", "timestamp"),
}
"""Columns that a projection may use of any topic: where the log keeps a record, and since when (UTC)."""

EVENT_TIME, WATERMARK = "eventTime", "watermark"
"""The contract's custom properties for readers that are products: which column is time, how late rows may be."""

CHANGELOG = {"events": "I", "state": "I,UA,D"}
"""How the rows of an input change: only inserts, or upserts and deletes by key."""

_UNITS = ((86_400_000, "DAY"), (3_600_000, "HOUR"), (60_000, "MINUTE"), (1_000, "SECOND"))
_TOKEN = re.compile(
    r"--[^\n]*|/\*.*?(?:\*/|\Z)|'(?:[^']|'')*(?:'|\Z)|\"[^\"]*(?:\"|\Z)|`[^`]*(?:`|\Z)|;|[^\s;'\"`/-]+|\s+|[/-]",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Program:
    """The text, and how to find a place of it in the product's own file.

    The file's lines follow `before` generated ones. `sink_line` is the line of the file at which
    the line `INSERT INTO …` was put in, at `sink_column` of it; 0 when the file has its own INSERT.
    """

    text: str
    before: int
    sink_line: int = 0
    sink_column: int = 0

    def locate(self, line: int, column: int) -> tuple[int, int] | None:
        """Line and column in the file, from 1; None for a place in the generated part."""
        line -= self.before
        if line < 1:
            return None
        if not self.sink_line or line < self.sink_line:
            return line, column
        if line == self.sink_line and column <= self.sink_column:
            return line, column
        if line <= self.sink_line:
            return self.sink_line, max(1, self.sink_column)
        inside = line - 1
        return inside, column + self.sink_column if inside == self.sink_line else column


def compose(product: Product, model: MeshModel) -> str:
    """The product's program as text. Raises as `compose_program`."""
    return compose_program(product, model).text


def compose_program(product: Product, model: MeshModel) -> Program:
    """The product's program. Raises ConfigError for files, inputs and schemas that are missing or wrong."""
    sql = read_sql(product)
    tables = [source_table(topic, sql) for topic in input_topics(product, model)]
    tables += [product_table(source) for source in input_products(product, model)]
    prelude = "\n".join([*tables, sink_table(product)]) + "\n"
    start, head = _final_statement(sql, product)
    before = prelude.count("\n")
    if head == "INSERT":
        return Program(prelude + sql, before)
    line = sql.count("\n", 0, start) + 1
    column = start - (sql.rfind("\n", 0, start) + 1)
    text = f"{prelude}{sql[:start]}INSERT INTO {table_name(product.full_name)}\n{sql[start:]}"
    return Program(text, before, line, column)


def read_sql(product: Product) -> str:
    """The product's projection. Raises ConfigError when it is missing, no text, or too large."""
    where = str(product.sql_path)
    try:
        sql = product.sql_path.read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError("the projection cannot be read", where=where, got=str(error)) from error
    if len(sql) > MAX_SQL:
        expected = f"at most {MAX_SQL} characters"
        raise ConfigError("the projection is too long", where=where, expected=expected, got=str(len(sql)))
    return sql


def input_topics(product: Product, model: MeshModel) -> list[Topic]:
    """The topics of the product's input ports. Raises ConfigError for a name that is no topic or product."""
    topics: list[Topic] = []
    for name in product.inputs:
        topic = model.topic(name)
        if topic is not None:
            topics.append(topic)
        elif model.product(name) is None:
            raise _unknown(product, model, name)
    if not product.inputs:
        where = str(product.directory)
        raise ConfigError(
            "the product has no input port", where=where, expected="at least one topic or product"
        )
    return topics


def input_products(product: Product, model: MeshModel) -> list[Product]:
    """The products of the product's input ports. Raises ConfigError for one that it cannot read."""
    found = [source for name in product.inputs if (source := model.product(name)) is not None]
    if product.full_name in {source.full_name for source in found}:
        raise ConfigError(f"the product {product.full_name} reads itself", where=str(product.directory))
    return found


def _unknown(product: Product, model: MeshModel, name: str) -> ConfigError:
    known = sorted(t.full_name for d in model.domains for t in d.topics)
    known += sorted(p.full_name for p in model.products)
    return ConfigError(
        f"the input {name!r} is no topic or product of this mesh",
        where=str(product.directory),
        expected=", ".join(known[:40]) or "a topic that a domain.yaml declares",
        fix="correct the input port, or declare the topic in its domain.yaml",
    )


def topic_schema(topic: Topic) -> tuple[str, pa.Schema]:
    """The reader's schema of a topic, as text and as columns. Raises ConfigError, naming the file."""
    where = str(topic.schema_path)
    try:
        text = topic.schema_path.read_bytes().decode("utf-8")
        schema = columns_of(text, format_of(topic.schema_path))
    except (OSError, UnicodeDecodeError, SchemaError) as error:
        raise ConfigError(
            f"the schema of topic {topic.full_name} cannot be used", where=where, got=str(error)
        ) from error
    needed = (*topic.key, *([topic.event_time] if topic.event_time else []))
    missing = [column for column in needed if column not in schema.names]
    if missing:
        raise ConfigError(
            f"the schema of topic {topic.full_name} lacks its key or its event time",
            where=where,
            expected=", ".join(missing),
            got=", ".join(schema.names),
        )
    return text, schema


def source_table(topic: Topic, sql: str = "") -> str:
    """CREATE TABLE of a topic; metadata columns only when `sql` speaks of them."""
    _, schema = topic_schema(topic)
    lines = [f"{_quoted(f.name)} {sql_of_arrow(f.type)}" for f in schema]
    for name in metadata_columns(sql):
        column, key = METADATA[name]
        lines.append(f"{_quoted(name)} {column} METADATA FROM '{key}' VIRTUAL")
    if topic.event_time:
        time = _quoted(topic.event_time)
        lines.append(f"WATERMARK FOR {time} AS {time}{_minus(topic.watermark_delay_ms)}")
    if topic.kind == "state":
        lines.append(f"PRIMARY KEY ({', '.join(map(_quoted, topic.key))}) NOT ENFORCED")
    options = (
        f"WITH ('topic' = '{topic.log_name}'{_form(topic)}, 'changelog-mode' = '{CHANGELOG[topic.kind]}')"
    )
    return f"CREATE TABLE {table_name(topic.full_name)} (\n  " + ",\n  ".join(lines) + f"\n) {options};"


def _form(topic: Topic) -> str:
    """What others wrapped around the rows: it belongs to the program, since another form is read otherwise."""
    said = topic.external
    return "" if said is None else f", 'envelope' = '{said.envelope}', 'key-from' = '{said.key_from}'"


def product_table(source: Product) -> str:
    """CREATE TABLE of a product that is read: what its contract promises, upserted by its key if it has one."""
    kind = "state" if source.contract.primary_key else "events"
    options = f"WITH ('product' = '{source.full_name}', 'changelog-mode' = '{CHANGELOG[kind]}')"
    return f"{_promised(source, _time_of(source.contract))} {options};"


def sink_table(product: Product) -> str:
    """CREATE TABLE of the product, from its contract."""
    return f"{_promised(product)};"


def _promised(product: Product, *more: str) -> str:
    columns = product.contract.columns
    if not columns:
        where = str(product.contract.path)
        raise ConfigError("the contract promises no column", where=where, expected="schema properties")
    lines = [f"{_quoted(c.name)} {c.physical_type}" for c in columns]
    lines += [line for line in more if line]
    if product.contract.primary_key:
        key = ", ".join(map(_quoted, product.contract.primary_key))
        lines.append(f"PRIMARY KEY ({key}) NOT ENFORCED")
    return f"CREATE TABLE {table_name(product.full_name)} (\n  " + ",\n  ".join(lines) + "\n)"


def _time_of(contract: Contract) -> str:
    """The WATERMARK clause of a product whose contract names its event time; else nothing."""
    name = custom(contract.document, EVENT_TIME)
    if name is None:
        return ""
    text = custom(contract.document, WATERMARK) or "PT0S"
    delay = duration_ms(str(text))
    if delay is None or name not in {c.name for c in contract.columns}:
        raise ConfigError(
            "the event time of a product is a column and a delay",
            where=str(contract.path),
            expected=f"{EVENT_TIME}: a column of the contract; {WATERMARK}: a duration such as PT5M",
            got=f"{name}, {text}",
        )
    return f"WATERMARK FOR {_quoted(name)} AS {_quoted(name)}{_minus(delay)}"


def metadata_columns(sql: str) -> list[str]:
    """Which metadata columns the text speaks of."""
    words = set(re.findall(r"\b_\w+", sql))
    return [name for name in METADATA if name in words]


def relocated(error: UnsupportedSQL, program: Program, product: Product) -> UnsupportedSQL:
    """The same refusal, at its place in the product's own file."""
    place = program.locate(error.line, error.column)
    if place is None:
        return error
    made = UnsupportedSQL(error.clause, *place, error.advice)
    made.where = f"{product.sql_path}, line {place[0]}, column {place[1]}"
    return made


def table_name(full_name: str) -> str:
    """`domain`.`name`, quoted."""
    return ".".join(_quoted(part) for part in full_name.split(".", 1))


def _quoted(name: str) -> str:
    return f"`{name.replace('`', '``')}`"


def _minus(delay_ms: int) -> str:
    if delay_ms <= 0:
        return ""
    for size, unit in _UNITS:
        if delay_ms % size == 0:
            return f" - INTERVAL '{delay_ms // size}' {unit}"
    return f" - INTERVAL '{delay_ms / 1000:.3f}' SECOND"


def _final_statement(sql: str, product: Product) -> tuple[int, str]:
    """Where the last statement's first word stands, and that word in capitals."""
    start, word, waiting = -1, "", True
    for token in _TOKEN.finditer(sql):
        text = token.group()
        if text == ";":
            waiting = True
        elif waiting and not text.isspace() and not text.startswith(("--", "/*")):
            start, word, waiting = token.start(), re.split(r"\W", text.upper(), maxsplit=1)[0], False
    if start < 0 or word == "CREATE":
        raise ConfigError(
            "the projection has no final query",
            where=str(product.sql_path),
            expected="views, then one SELECT or INSERT INTO",
            fix="end the file with the query that makes the product's rows",
        )
    return start, word
