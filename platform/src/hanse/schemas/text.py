"""JSON texts from outside, read within bounds."""

from __future__ import annotations

import json
import re
from typing import Any, NoReturn

from hanse.errors import SchemaError
from hanse.schemas.finding import MAX_BYTES, MAX_DEPTH, short

_STRING = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_BRACKET = re.compile(r"[\[\]{}]")


def check_size(text: str, what: str = "schema") -> None:
    """Raises SchemaError when the text has more than MAX_BYTES bytes."""
    size = len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
    if size > MAX_BYTES:
        raise SchemaError(
            f"the {what} is too large", expected=f"at most {MAX_BYTES} bytes", got=f"{size} bytes"
        )


def load_json(text: str, what: str = "schema") -> Any:
    """The value of a JSON text of bounded size and depth. Raises SchemaError with line and column."""
    check_size(text, what)
    _check_depth(text, what)
    try:
        return json.loads(text, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        raise SchemaError(
            f"the {what} is not valid JSON",
            where=f"line {error.lineno}, column {error.colno}",
            expected=error.msg,
            got=short(text[max(0, error.pos - 20) : error.pos + 20], 60),
        ) from error
    except (RecursionError, ValueError) as error:
        raise SchemaError(f"the {what} is not valid JSON", got=short(error)) from error


def compact(value: Any) -> str:
    """JSON without spaces, keys in the order given."""
    return _storable(json.dumps(value, separators=(",", ":"), ensure_ascii=False))


def sorted_json(value: Any) -> str:
    """JSON without spaces and with sorted keys: equal texts for equal documents."""
    return _storable(json.dumps(value, separators=(",", ":"), sort_keys=True, ensure_ascii=False))


def _storable(text: str) -> str:
    """Half of a surrogate pair has no UTF-8; it stays an escape."""
    return _SURROGATE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _check_depth(text: str, what: str) -> None:
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return
    depth = 0
    for match in _BRACKET.finditer(_STRING.sub('""', text)):
        depth += 1 if match[0] in "[{" else -1
        if depth > MAX_DEPTH:
            raise SchemaError(
                f"the {what} is nested too deeply",
                expected=f"at most {MAX_DEPTH} levels of JSON",
                fix="name the inner types and refer to them",
            )
