"""Small inline pictures: health always has a shape beside its colour."""

from __future__ import annotations

from markupsafe import Markup

_SHAPES = {
    "met": '<circle cx="8" cy="8" r="7" fill="currentColor"/><path d="M4.6 8.2l2.3 2.3 4.4-4.8" stroke="var(--paper)" stroke-width="1.8" fill="none"/>',
    "at risk": '<path d="M8 1.2l7 13.3H1z" fill="currentColor"/><path d="M8 6v4.2M8 11.6v1.6" stroke="var(--paper)" stroke-width="1.7" fill="none"/>',
    "broken": '<path d="M5 1h6l4 4v6l-4 4H5l-4-4V5z" fill="currentColor"/><path d="M5.3 5.3l5.4 5.4M10.7 5.3l-5.4 5.4" stroke="var(--paper)" stroke-width="1.8" fill="none"/>',
    "unknown": '<circle cx="8" cy="8" r="6.2" fill="none" stroke="currentColor" stroke-width="1.6" stroke-dasharray="2.6 2"/>',
    "lock": '<rect x="3" y="7" width="10" height="7" rx="1.5" fill="currentColor"/><path d="M5.2 7V5a2.8 2.8 0 0 1 5.6 0v2" stroke="currentColor" stroke-width="1.6" fill="none"/>',
    "key": '<circle cx="5.2" cy="8" r="3" fill="none" stroke="currentColor" stroke-width="1.7"/><path d="M8.2 8h6.3v2.6M12 8v2" stroke="currentColor" stroke-width="1.7" fill="none"/>',
    "clock": '<circle cx="8" cy="8" r="6.5" fill="none" stroke="currentColor" stroke-width="1.6"/><path d="M8 4.4V8l2.6 1.8" stroke="currentColor" stroke-width="1.6" fill="none"/>',
}


def icon(name: str) -> Markup:
    """The picture of that name, hidden from screen readers: the word stands beside it."""
    return Markup(f'<svg class="icon" viewBox="0 0 16 16" aria-hidden="true">{_SHAPES[name]}</svg>')  # noqa: S704
