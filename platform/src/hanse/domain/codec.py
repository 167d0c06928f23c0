"""Between typed messages and the JSON that is stored; compiled once a class from its annotations."""

from __future__ import annotations

import types
from collections.abc import Callable
from dataclasses import MISSING, fields, is_dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from functools import cache
from math import isfinite
from typing import Annotated, Any, TypeGuard, Union, get_args, get_origin, get_type_hints
from uuid import UUID

from hanse.domain.messages import PersonalMark
from hanse.errors import CommandRejected, ConfigError, StoreError

Cipher = Callable[[str], str | None]
"""Encrypts or decrypts one text for the subject of the event at hand; None when it cannot be read."""

Encoder = Callable[[Any, Cipher], Any]
Decoder = Callable[[Any, Cipher], Any]
Check = Callable[[Any, str], str | None]

_PLAIN = (str, int, float, bool)
_TEXTUAL: dict[type, tuple[Callable[[Any], str], Callable[[Any], Any]]] = {
    Decimal: (str, Decimal),
    datetime: (datetime.isoformat, datetime.fromisoformat),
    date: (date.isoformat, date.fromisoformat),
    UUID: (str, UUID),
}


def as_stored(text: str) -> str:
    """The cipher that leaves texts as they are, for readers that must not see what is personal."""
    return text


@cache
def encoder(cls: type) -> Encoder:
    """The function that turns an instance into a JSON object, personal texts encrypted."""
    plan = [(name, _encoder_of(hint)) for name, hint in _hints(cls)]

    def encode(instance: Any, encrypt: Cipher) -> dict[str, Any]:
        body: dict[str, Any] = {}
        for name, convert in plan:
            item = getattr(instance, name)
            body[name] = item if convert is None or item is None else convert(item, encrypt)
        return body

    return encode


@cache
def decoder(cls: type) -> Decoder:
    """The function that makes an instance of a JSON object, without running its checks again.

    What was stored has happened; a rule that was tightened since must not make it unreadable. A value
    object whose own text cannot be decrypted any more becomes None. Raises StoreError for a missing field.
    """
    hints = _hints(cls)
    defaults = {f.name: f.default for f in fields(cls) if f.default is not MISSING}
    plan = [(name, _decoder_of(hint)) for name, hint in hints]
    vital = frozenset(name for name, hint in hints if is_personal(hint) and not is_optional(hint))
    make, assign = object.__new__, object.__setattr__

    def decode(body: Any, decrypt: Cipher) -> Any:
        instance = make(cls)
        for name, convert in plan:
            try:
                item = body[name]
            except KeyError:
                if name not in defaults:
                    raise StoreError(f"a stored {cls.__name__} lacks the field {name!r}") from None
                item = defaults[name]
            if convert is not None and item is not None:
                item = convert(item, decrypt)
                if item is None and name in vital:
                    return None
            assign(instance, name, item)
        return instance

    return decode


@cache
def checker(cls: type) -> Check:
    """The function that finds the first field whose value has another type than annotated, or cannot be stored.

    It returns one line (path, expected, got) or None.
    """
    plan = [(name, _quick_type(hint), _check_of(hint)) for name, hint in _hints(cls)]

    def check(instance: Any, path: str) -> str | None:
        if type(instance) is not cls:
            return _mistyped(path, cls.__name__, instance)
        for name, quick, test in plan:
            item = getattr(instance, name)
            if type(item) is not quick or (quick is str and not item.isascii()):
                problem = test(item, f"{path}.{name}" if path else name)
                if problem:
                    return problem
        return None

    return check


def check_message(message: object) -> None:
    """Raise CommandRejected (`command-malformed`) when a field has the wrong type."""
    problem = checker(type(message))(message, "")
    if problem:
        raise CommandRejected("command-malformed", problem)


@cache
def has_personal(cls: type) -> bool:
    """Whether the class has a personal field, at any depth."""
    return any(_reaches_personal(hint) for _, hint in _hints(cls))


def _hints(cls: type) -> list[tuple[str, Any]]:
    hints = get_type_hints(cls, include_extras=True)
    return [(f.name, hints[f.name]) for f in fields(cls)]


def is_personal(hint: Any) -> bool:
    """Whether the annotation marks a personal text."""
    return get_origin(hint) is Annotated and any(isinstance(a, PersonalMark) for a in get_args(hint)[1:])


def _reaches_personal(hint: Any) -> bool:
    if is_personal(hint):
        return True
    inner = _strip(hint)
    if get_origin(inner) is tuple:
        return _reaches_personal(get_args(inner)[0])
    return is_dataclass(inner) and has_personal(inner)  # pyright: ignore[reportArgumentType]


def is_optional(hint: Any) -> bool:
    """Whether the annotation allows None."""
    inner = get_args(hint)[0] if get_origin(hint) is Annotated else hint
    return get_origin(inner) in (Union, types.UnionType) and type(None) in get_args(inner)


def _strip(hint: Any) -> Any:
    """The type behind `Annotated` and `| None`."""
    if get_origin(hint) is Annotated:
        hint = get_args(hint)[0]
    if get_origin(hint) in (Union, types.UnionType):
        inner = [a for a in get_args(hint) if a is not type(None)]
        if len(inner) != 1:
            raise ConfigError("a field of a message is one type, perhaps with None", got=str(hint))
        return _strip(inner[0])
    return hint


def _encoder_of(hint: Any) -> Encoder | None:
    if is_personal(hint):
        return lambda text, encrypt: encrypt(text)
    inner = _strip(hint)
    if inner in _PLAIN:
        return None
    if inner in _TEXTUAL:
        write = _TEXTUAL[inner][0]
        return lambda item, _: write(item)
    if isinstance(inner, type) and issubclass(inner, Enum):
        return lambda item, _: item.value
    if get_origin(inner) is tuple:
        one = _encoder_of(_element(inner))
        return lambda items, encrypt: [one(i, encrypt) for i in items] if one else list(items)
    return encoder(_message_class(inner))


def _decoder_of(hint: Any) -> Decoder | None:
    if is_personal(hint):
        return lambda text, decrypt: decrypt(text)
    inner = _strip(hint)
    if inner in _PLAIN:
        return None
    if inner in _TEXTUAL:
        read = _TEXTUAL[inner][1]
        return lambda item, _: read(item)
    if isinstance(inner, type) and issubclass(inner, Enum):
        return lambda item, _: inner(item)
    if get_origin(inner) is tuple:
        one = _decoder_of(_element(inner))
        return lambda items, decrypt: tuple([one(i, decrypt) for i in items] if one else items)
    return decoder(_message_class(inner))


def _check_of(hint: Any) -> Check:
    inner, optional = _strip(hint), is_optional(hint)
    if get_origin(inner) is tuple:
        one = _check_of(_element(inner))

        def check_all(items: Any, path: str) -> str | None:
            if type(items) is not tuple:
                return None if items is None and optional else _mistyped(path, "tuple", items)
            return next((p for n, i in enumerate(items) if (p := one(i, f"{path}[{n}]"))), None)

        return check_all
    if is_dataclass(inner):
        nested = checker(inner)  # pyright: ignore[reportArgumentType]
        return (lambda item, path: None if item is None else nested(item, path)) if optional else nested

    limit = _LIMITS.get(inner)

    def check_one(item: Any, path: str) -> str | None:
        if item is None and optional:
            return None
        if type(item) is not inner:
            return _mistyped(path, inner.__name__, item)
        wanted = limit(item) if limit else None
        if wanted is None:
            return None
        got = "a larger one" if inner is int else ascii(str(item)[:40])
        return f"{path}: expected {wanted}, got {got}"

    return check_one


def is_text(item: object) -> TypeGuard[str]:
    """Whether it is a string that UTF-8 can hold: one without lone surrogates."""
    if type(item) is not str:
        return False
    try:
        return item.isascii() or bool(item.encode())
    except UnicodeEncodeError:
        return False


_LIMITS: dict[Any, Callable[[Any], str | None]] = {
    str: lambda item: None if is_text(item) else "text without lone surrogates",
    int: lambda item: None if -(1 << 63) <= item < 1 << 63 else "an integer of 64 bits",
    float: lambda item: None if isfinite(item) else "a finite number",
    Decimal: lambda item: None if item.is_finite() else "a finite number",
    datetime: lambda item: None if item.tzinfo else "a moment with time zone",
}
"""What a value must be for the store to give it back as it was, beyond its type."""


def _quick_type(hint: Any) -> type | None:
    """The type whose instances need no closer look; of texts only those in ASCII."""
    inner = _strip(hint)
    return inner if isinstance(inner, type) and inner in (str, bool, date, UUID) else None


def _element(hint: Any) -> Any:
    arguments = get_args(hint)
    if len(arguments) != 2 or arguments[1] is not Ellipsis:
        raise ConfigError("a tuple in a message has one element type: tuple[T, ...]", got=str(hint))
    return arguments[0]


def _message_class(hint: Any) -> type:
    if not (isinstance(hint, type) and is_dataclass(hint)):
        raise ConfigError("this type cannot be a field of an event or a command", got=str(hint))
    return hint


def _mistyped(path: str, expected: str, got: object) -> str:
    return f"{path or '$'}: expected {expected}, got {type(got).__name__}"
