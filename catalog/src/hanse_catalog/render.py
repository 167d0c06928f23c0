"""Templates, and the filters they use."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse

from .health import ago
from .icons import icon
from .present import page_of


def first_sentence(text: str) -> str:
    """The text up to its first full stop."""
    whole = " ".join(text.split())
    end = whole.find(". ")
    return whole if end < 0 else whole[: end + 1]


def shown(value: object) -> str:
    """A value in a cell."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def anchor(text: str) -> str:
    """A text as the id of an element."""
    return "".join(c if c.isalnum() else "-" for c in text.lower())


def number(value: int | None) -> str:
    """A count, or a question mark."""
    return "?" if value is None else f"{value:,}"


def moment(value: datetime) -> str:
    """A moment to the second, in UTC."""
    return value.astimezone(UTC).strftime("%d %b %Y %H:%M:%S UTC")


def day(value: datetime) -> str:
    """A moment's day and month."""
    return value.astimezone(UTC).strftime("%d %b")


def moment_text(text: str) -> str:
    """An ISO 8601 moment to the minute."""
    return datetime.fromisoformat(text).strftime("%d %b %Y %H:%M")


def shorten(text: str, size: int) -> str:
    """At most `size` characters."""
    return text if len(text) <= size else text[: size - 1] + "…"


def short_json(value: object) -> str:
    """A nested value in a cell."""
    return shorten(json.dumps(value, ensure_ascii=False, default=str), 300)


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    everywhere: dict[str, Any] = {
        "icon": icon,
        "page_of": page_of,
        "asof": None,
        "q": "",
        "section": "",
        "now_link": "/",
    }
    filters: tuple[Callable[..., str], ...] = (
        *(ago, anchor, first_sentence, shown, number, moment, day, moment_text, shorten, short_json),
    )
    environment.globals.update(everywhere)
    for function in filters:
        environment.filters[function.__name__] = cast("Any", function)
    return environment


_TEMPLATES = _environment()


def page(name: str, code: int = 200, /, **context: Any) -> HTMLResponse:
    """A page from its template."""
    return HTMLResponse(_TEMPLATES.get_template(name).render(**context), code)
