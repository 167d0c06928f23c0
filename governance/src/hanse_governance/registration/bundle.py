"""What a team sends to register a product: a few small text files, by their place in the domain's folder."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hanse.errors import ConfigError

MAX_FILES = 200
MAX_BYTES = 200_000
_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
_PRODUCT_FILES = ("product.yaml", "contract.yaml", "projection.sql")
_DOMAIN_FILE = re.compile(r"domain\.yaml|events/[a-z][a-z0-9_]{0,62}\.(avsc|json|proto)")


@dataclass(frozen=True, slots=True)
class Bundle:
    """A product's files, and those of its domain when it is new or has new events. Paths are in the domain."""

    domain: str
    name: str
    files: Mapping[str, str]

    @property
    def full_name(self) -> str:
        """`<domain>.<name>`."""
        return f"{self.domain}.{self.name}"

    @property
    def touches_domain(self) -> bool:
        """Whether files of the domain itself are in it."""
        return any(_DOMAIN_FILE.fullmatch(path) for path in self.files)

    @property
    def digest(self) -> str:
        """The same for the same content."""
        content = json.dumps([self.full_name, sorted(self.files.items())])
        return hashlib.sha256(content.encode()).hexdigest()

    def check(self) -> None:
        """Raises ConfigError for names, places and sizes that are none."""
        for name in (self.domain, self.name):
            if not _NAME.fullmatch(name):
                raise ConfigError("not a name", expected="small letters, digits and _", got=repr(name[:80]))
        own = {f"products/{self.name}/{file}" for file in _PRODUCT_FILES}
        for path in self.files:
            if path not in own and not _DOMAIN_FILE.fullmatch(path):
                places = ", ".join([*sorted(own), "domain.yaml", "events/<name>.avsc"])
                raise ConfigError("a file has no place in a bundle", expected=places, got=path[:120])
        if lacking := own - self.files.keys():
            raise ConfigError("the bundle is not complete", expected=", ".join(sorted(lacking)))
        size = sum(len(text.encode()) for text in self.files.values())
        if len(self.files) > MAX_FILES or size > MAX_BYTES:
            raise ConfigError(
                "the bundle is too large",
                expected=f"at most {MAX_FILES} files and {MAX_BYTES:,} bytes in all",
            )

    def write(self, root: Path) -> None:
        """Write the files into the mesh at `root`, each at once or not at all."""
        home = root / "domains" / self.domain
        for path, text in self.files.items():
            target = home / path
            target.parent.mkdir(parents=True, exist_ok=True)
            if not target.resolve().is_relative_to(root.resolve()):
                raise ConfigError("the domain's folder leads out of the mesh", where=str(target))
            partial = target.with_name(f".{target.name}.new")
            partial.write_text(text, encoding="utf-8")
            partial.replace(target)
