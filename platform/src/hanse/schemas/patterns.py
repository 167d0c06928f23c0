"""Regular expressions from outside, matched in bounded time."""

from __future__ import annotations

import re
import warnings
from functools import lru_cache
from re import _constants as codes  # pyright: ignore[reportAttributeAccessIssue]
from re import _parser as parser  # pyright: ignore[reportAttributeAccessIssue]
from typing import Any

from hanse.errors import SchemaError
from hanse.schemas.finding import short

MAX_LENGTH = 1_000
_FEW = 2
_REPEATS = frozenset({codes.MAX_REPEAT, codes.MIN_REPEAT, codes.POSSESSIVE_REPEAT})
_SINGLE = frozenset({codes.LITERAL, codes.NOT_LITERAL, codes.IN, codes.ANY, codes.SUBPATTERN})
_PLAIN = frozenset({codes.AT, codes.BRANCH, codes.ASSERT, codes.ASSERT_NOT})


def finds(pattern: str, text: str) -> bool:
    """Whether the pattern occurs in the text, by search.

    Patterns that could backtrack without end go to a matcher that never does (RE2). Raises SchemaError for
    what neither understands, and for texts and patterns above MAX_LENGTH characters.
    """
    if len(pattern) > MAX_LENGTH or len(text) > MAX_LENGTH:
        raise SchemaError("the pattern or the name is too long to compare", got=short(pattern, 60))
    if _is_tame(pattern):
        return re.search(pattern, text) is not None
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        matched = pc.match_substring_regex(pa.array([text]), pattern)  # pyright: ignore[reportAttributeAccessIssue]
        return bool(matched[0].as_py())
    except pa.ArrowInvalid as error:
        raise SchemaError(
            "the pattern is not a regular expression that can be matched safely", got=short(pattern)
        ) from error


@lru_cache(maxsize=8_192)
def _is_tame(pattern: str) -> bool:
    """Few repetitions, and each of single characters: such a pattern cannot backtrack for long.

    What looks ahead or behind, as `^(?!private_)`, is common and bounded by the same rule.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = parser.parse(pattern)
        return _repeats(tree, inside=False) <= _FEW
    except (re.error, RecursionError, OverflowError):
        return False


def _repeats(tree: Any, *, inside: bool) -> int:
    """How many repetitions a parsed pattern has; too many when one repeats more than single characters."""
    count = 0
    for code, argument in tree:
        if inside and code not in _SINGLE:
            return _FEW + 1
        repeats = code in _REPEATS
        count += int(repeats) if code in _SINGLE or repeats or code in _PLAIN else _FEW + 1
        count += sum(_repeats(inner, inside=inside or repeats) for inner in _inner(argument))
    return count


def _inner(argument: Any) -> list[Any]:
    if isinstance(argument, parser.SubPattern):
        return [argument]
    if isinstance(argument, tuple | list):
        return [found for item in argument for found in _inner(item)]
    return []
