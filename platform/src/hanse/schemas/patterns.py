"""Regular expressions from outside, matched in bounded time."""

from __future__ import annotations

import re
import warnings
from re import _constants as codes  # pyright: ignore[reportAttributeAccessIssue]
from re import _parser as parser  # pyright: ignore[reportAttributeAccessIssue]
from typing import Any

from hanse.errors import SchemaError
from hanse.schemas.finding import short

MAX_LENGTH = 1_000
_FEW = 2


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


def _is_tame(pattern: str) -> bool:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = parser.parse(pattern)
        repeats, nested = _repeats(tree, inside=False)
    except (re.error, RecursionError, OverflowError):
        return False
    return repeats <= _FEW and not nested


def _repeats(tree: Any, *, inside: bool) -> tuple[int, bool]:
    """How many repetitions a parsed pattern has, and whether one stands inside another."""
    count, nested = 0, False
    for code, argument in tree:
        repeats = code in {codes.MAX_REPEAT, codes.MIN_REPEAT, codes.POSSESSIVE_REPEAT} and argument[1] > 1
        if repeats:
            count, nested = count + 1, nested or inside
        nested = nested or code in {codes.GROUPREF, codes.GROUPREF_EXISTS}
        for inner in _inner(argument):
            more, deep = _repeats(inner, inside=inside or repeats)
            count, nested = count + more, nested or deep
    return count, nested


def _inner(argument: Any) -> list[Any]:
    if isinstance(argument, parser.SubPattern):
        return [argument]
    if isinstance(argument, tuple | list):
        return [found for item in argument for found in _inner(item)]
    return []
