"""What a comparison of two schemas finds, and the limits within which it works."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from hanse.errors import SchemaError

Mode = Literal[
    "NONE", "BACKWARD", "BACKWARD_TRANSITIVE", "FORWARD", "FORWARD_TRANSITIVE", "FULL", "FULL_TRANSITIVE"
]
MODES: tuple[str, ...] = get_args(Mode)

MAX_BYTES = 4 * 1024 * 1024
MAX_DEPTH = 200
MAX_STEPS = 500_000


@dataclass(frozen=True, slots=True)
class Finding:
    """One incompatibility.

    `path` says where (`$` is the root), `kind` names the rule that is broken, `old` and `new` are both
    sides as short text, `message` is one sentence. `direction` tells whose reading breaks: "backward"
    when the new schema cannot read what the old one wrote, "forward" for the other way round.
    `version` is the older version compared with, where the caller knows it.
    """

    path: str
    kind: str
    old: str
    new: str
    message: str
    direction: Literal["backward", "forward"] = "backward"
    version: int | None = None

    def as_dict(self) -> dict[str, object]:
        """The finding as JSON-ready values; `version` only where it is known."""
        found: dict[str, object] = {
            "path": self.path,
            "kind": self.kind,
            "old": self.old,
            "new": self.new,
            "message": self.message,
            "direction": self.direction,
        }
        if self.version is not None:
            found["version"] = self.version
        return found

    def __str__(self) -> str:
        return f"{self.kind} at {self.path}: {self.message} (old: {self.old}, new: {self.new})"


@dataclass(slots=True)
class Budget:
    """Counts the steps of one comparison, so that a hostile pair ends in an error and not in hours."""

    left: int = MAX_STEPS

    def spend(self, steps: int = 1) -> None:
        """Take steps off. Raises SchemaError when none are left."""
        self.left -= steps
        if self.left < 0:
            raise SchemaError(
                "the schemas are too complex to compare",
                expected=f"at most {MAX_STEPS} steps of comparison",
                fix="split the schema, or reduce nested combinations and references",
            )


def short(value: object, limit: int = 120) -> str:
    """A value as one short line of text."""
    text = " ".join(str(value).split())
    return text if len(text) <= limit else f"{text[: limit - 1]}…"
