"""The reader's text before any parser sees it: bounds, and `:name` parameters turned into `$name`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from hanse.errors import QueryRefused

MAX_BYTES = 65_536
MAX_DEPTH = 60
MAX_TOKENS = 12_000

_TOKEN = re.compile(
    r"""
    (?P<space>\s+)
  | (?P<comment>--[^\n]*|/\*)
  | (?P<estring>[eE]'(?:[^'\\]|''|\\.)*')
  | (?P<string>'(?:[^']|'')*')
  | (?P<quoted>"(?:[^"]|"")*")
  | (?P<dollar>\$(?:[A-Za-z_][A-Za-z0-9_]*)?\$)
  | (?P<dollarname>\$[A-Za-z_0-9]+)
  | (?P<cast>::)
  | (?P<assign>:=)
  | (?P<param>:[A-Za-z_][A-Za-z0-9_]*)
  | (?P<word>[^\W\d]\w*)
  | (?P<number>\d[\w.]*)
  | (?P<open>[(\[{])
  | (?P<close>[)\]}])
  | (?P<other>.)
    """,
    re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of the text; `depth` counts the brackets around it, of which `inside` is the innermost."""

    kind: str
    text: str
    start: int
    depth: int
    inside: str

    @property
    def end(self) -> int:
        """Where the next piece starts."""
        return self.start + len(self.text)


def tokens(sql: str) -> Iterator[Token]:
    """Cut a text into its pieces, losing nothing. Raises QueryRefused at an unclosed quote or comment."""
    stack: list[str] = []
    position = 0
    while position < len(sql):
        match = _TOKEN.match(sql, position)
        if match is None:
            raise _refuse("the query cannot be read", f"character {position + 1}")
        kind, text = match.lastgroup or "other", match.group()
        if text in ("'", '"'):
            raise _refuse("the query has an unclosed quote", f"character {position + 1}")
        if kind == "dollar" or text == "/*":
            text = _long_token(sql, position, text)
        if kind == "close" and stack:
            stack.pop()
        yield Token(kind, text, position, len(stack), stack[-1] if stack else "")
        if kind == "open":
            stack.append(text)
        position += len(text)


def prepare(sql: str) -> str:
    """The text with `:name` as `$name`. Raises QueryRefused when it is empty, too long or too deep."""
    _bound_size(sql)
    out: list[str] = []
    count = cases = chain = 0
    before = ""
    for token in tokens(sql):
        text, kind = token.text, token.kind
        count += kind not in ("space", "comment")
        if kind == "word":
            cases += (text.lower() == "case") - (text.lower() == "end")
        chain = _chain(chain, kind, text)
        if max(token.depth + max(cases, 0), chain) > MAX_DEPTH or count > MAX_TOKENS:
            raise _refuse("the query is too deeply nested or too long", f"character {token.start + 1}")
        if kind == "param" and _is_parameter(before, token.inside):
            text = "$" + text[1:]
        out.append(text)
        before = token.text
    return "".join(out)


def _chain(length: int, kind: str, text: str) -> int:
    """How many prefix operators stand in a row."""
    if kind in ("space", "comment"):
        return length
    return length + 1 if text in ("-", "+", "~", "!", "@") or text.lower() == "not" else 0


def _bound_size(sql: str) -> None:
    if "\x00" in sql:
        raise _refuse("the query holds a NUL character", f"character {sql.index(chr(0)) + 1}")
    if not sql.strip():
        raise QueryRefused("the query is empty", expected="a SELECT statement", fix="SELECT 1")
    try:
        size = len(sql.encode("utf-8"))
    except UnicodeEncodeError as error:
        raise _refuse("the query is not valid Unicode", f"character {error.start + 1}") from error
    if size > MAX_BYTES:
        raise QueryRefused("the query is too long", expected=f"at most {MAX_BYTES:,} bytes", got=f"{size:,}")


def _long_token(sql: str, start: int, opening: str) -> str:
    """A block comment (DuckDB does not nest them) or a dollar-quoted string, to its end."""
    closing = "*/" if opening == "/*" else opening
    end = sql.find(closing, start + len(opening))
    if end < 0:
        raise _refuse("the query has an unclosed comment or quote", f"character {start + 1}")
    return sql[start : end + len(closing)]


def _is_parameter(before: str, inside: str) -> bool:
    """Whether `:name` is a parameter here, and not a slice, a struct field or a prefix alias."""
    if not before or before.isspace():
        return inside not in ("[", "{")
    if before in ("(", ","):
        return True
    return before[-1] in "=<>+-*/|%" or before.startswith(("--", "/*"))


def _refuse(what: str, where: str) -> QueryRefused:
    return QueryRefused(what, where=where)


def parameters_of(sql: str) -> list[str]:
    """Names of the `:name` and `$name` parameters, in order. Raises as `prepare`."""
    names: dict[str, None] = {}
    for token in tokens(prepare(sql)):
        if token.kind == "dollarname" and not token.text[1:].isdigit():
            names[token.text[1:]] = None
    return list(names)
