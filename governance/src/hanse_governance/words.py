"""Words in names: splitting, singulars, the past tense, and names that personal fields carry."""

from __future__ import annotations

import re
import tomllib
import unicodedata
from functools import cache
from importlib.resources import files
from typing import Any

_PARTS = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+")
_VERSION = re.compile(r"v|\d+")  # order_placed_v2


@cache
def _lists() -> dict[str, Any]:
    return tomllib.loads(files("hanse_governance").joinpath("words.toml").read_text(encoding="utf-8"))


@cache
def listed(name: str) -> frozenset[str]:
    """One of the plain word lists of `words.toml`."""
    return frozenset(_lists()[name].split())


@cache
def synonyms() -> tuple[frozenset[str], ...]:
    """Groups of words for one concept."""
    return tuple(frozenset(line.split()) for line in _lists()["synonyms"])


@cache
def words(name: str) -> tuple[str, ...]:
    """The lower-case words of an identifier: `OrderPlaced`, `order_placed` and `order-placed` alike."""
    return tuple(part.lower() for part in _PARTS.findall(plain(name)))


def plain(text: str) -> str:
    """The text without accents (`ß` becomes `ss`, `ł` becomes `l`)."""
    if text.isascii():
        return text
    swapped = text.replace("ß", "ss").replace("ł", "l").replace("Ł", "L").replace("ø", "o")
    return unicodedata.normalize("NFKD", swapped).encode("ascii", "ignore").decode()


@cache
def singular(word: str) -> str:
    """The singular of a regular English plural."""
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith(("sses", "shes", "ches", "xes", "zes")):
        return word[:-2]
    if word.endswith("s") and not word.endswith(("ss", "us", "is")) and len(word) > 3:
        return word[:-1]
    return word


def past(word: str) -> bool:
    """Whether the word is a past participle."""
    if word in listed("irregular"):
        return True
    return word.endswith("ed") and len(word) > 3 and word not in listed("not_past")


@cache
def event_verb(name: str) -> int | None:
    """Index of the past participle in an event's words; None when the name is not in the past tense."""
    parts = [w for w in words(name) if not _VERSION.fullmatch(w)]
    index = len(parts) - 1
    while index > 0 and parts[index] in listed("particles"):
        index -= 1
    return index if index >= 0 and past(parts[index]) else None


def imperative(name: str) -> bool:
    """Whether the name reads like a command: it begins with a verb and has no past participle."""
    parts = words(name)
    return len(parts) > 1 and parts[0] in listed("imperative") and event_verb(name) is None


@cache
def personal_reason(name: str) -> str | None:
    """Why a field's name looks personal (`email (en)`), or None."""
    parts = words(name)
    if not parts or parts[-1] in listed("harmless_tails"):
        return None
    text = f" {' '.join(parts)} "
    squeezed = "".join(parts)
    for language, entries in _lists()["personal"].items():
        for entry in entries:
            if f" {entry} " in text or (len(entry) > 4 and squeezed == entry.replace(" ", "")):
                return f"{entry} ({language})"
    return None


_VALUES = (
    (re.compile(r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,5}"), "an e-mail address"),
    (re.compile(r"\+\d{1,3}[ ()./-]{0,3}\d[\d ()./-]{6,16}"), "a telephone number"),
    (re.compile(r"[A-Z]{2}\d{2} ?(?:[A-Z0-9]{4} ?){2,7}[A-Z0-9]{1,4}"), "an IBAN"),
    (re.compile(r"\d{3}\.\d{3}\.\d{3}-\d{2}"), "a CPF"),
)
_MAX_SAMPLE = 200


def personal_value(value: object) -> str | None:
    """What kind of personal value a sample looks like (`an e-mail address`), or None."""
    if not isinstance(value, str) or len(value) > _MAX_SAMPLE:
        return None
    text = value.strip()
    for pattern, kind in _VALUES:
        if pattern.fullmatch(text):
            return kind
    digits = re.sub(r"[ -]", "", text)
    card = 13 <= len(digits) <= 19 and digits.isdigit() and _luhn(digits)
    return "a payment card number" if card else None


def _luhn(digits: str) -> bool:
    doubled = [int(d) * (2 if i % 2 else 1) for i, d in enumerate(reversed(digits))]
    return sum(d - 9 if d > 9 else d for d in doubled) % 10 == 0
