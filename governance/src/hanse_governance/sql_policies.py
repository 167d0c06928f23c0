"""Policies written in SQL over the mesh's model: one file each in `governance/rules` or `domains/<domain>/rules`.

    -- code: ACM002
    -- name: product-without-tag
    -- severity: warning
    -- why: Tags are how our people search.
    -- fix: add `tags` to product.yaml
    SELECT product AS subject, product || ' has no tag' AS what FROM products WHERE len(tags) = 0

The query gives `subject` (a full name of a product, topic, domain, or of a field: `orders.by_state.state`)
and `what`. A domain's rule is about the domain's own subjects only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from hanse.errors import HanseError
from hanse_governance.federation import Breach
from hanse_governance.finding import SEVERITIES, Finding, Location
from hanse_governance.policy import Policy
from hanse_governance.view import MeshView

FOLDER = "rules"
_HEADER = re.compile(r"--\s*(code|name|severity|why|fix):\s*(\S.*)")
_CODE = re.compile(r"[A-Z]{3}\d{3}")
_NEEDED = ("code", "name", "severity", "why", "fix")
_MAX_FINDINGS = 1_000
_INVALID = "FED003"


class SqlPolicy(Policy):
    """A rule written in SQL; see docs/governance.md."""

    path: ClassVar[str]
    sql: ClassVar[str]
    fix: ClassVar[str]
    domain: ClassVar[str | None]

    def check(self, mesh: MeshView) -> Iterator[Finding]:
        """A finding a row; one that says so when the query fails."""
        try:
            rows = mesh.tables.query(self.sql).select(["subject", "what"]).slice(0, _MAX_FINDINGS).to_pylist()
        except HanseError as error:
            what = f"the rule cannot run: {' '.join(str(error).split())}"
            yield self.finding(Location(self.path), self.domain or "", what, fix="correct the rule")
            return
        for row in rows:
            subject = str(row["subject"])
            if self.domain in (None, subject.split(".", 1)[0]):
                at = _place(mesh, subject) or Location(self.path)
                yield self.finding(at, subject, str(row["what"]), fix=self.fix)


def _place(mesh: MeshView, subject: str) -> Location | None:
    """Where a subject is declared."""
    owner, _, field = subject.rpartition(".")
    if subject in mesh.products:
        return mesh.in_product(mesh.products[subject])
    if subject in mesh.topics:
        return mesh.in_topic(mesh.topics[subject])
    if subject in mesh.domains:
        return mesh.in_domain(mesh.domains[subject])
    if owner in mesh.products:
        return mesh.in_column(mesh.products[owner], field)
    if owner in mesh.topics:
        return mesh.in_schema(mesh.topics[owner], "fields", ("name", field))
    return None


@dataclass(frozen=True, slots=True)
class SqlRules:
    """The policies of a mesh's rule files, and what is wrong in those that are none."""

    policies: tuple[SqlPolicy, ...]
    breaches: tuple[Breach, ...]


def load_rules(root: Path, taken: frozenset[str]) -> SqlRules:
    """Read the rule files of a mesh; `taken` are the codes of other policies."""
    found: dict[str, SqlPolicy] = {}
    breaches: list[Breach] = []
    for path, domain in _files(root):
        where = path.relative_to(root).as_posix()
        made = _read(path, where, domain)
        if isinstance(made, SqlPolicy) and made.code in taken | found.keys():
            made = f"the code {made.code} is taken by another policy"
        if isinstance(made, str):
            breaches.append(Breach(_INVALID, Location(where), domain or "", made, "correct the rule's file"))
        else:
            found[made.code] = made
    return SqlRules(tuple(found.values()), tuple(breaches))


def _files(root: Path) -> Iterator[tuple[Path, str | None]]:
    yield from ((path, None) for path in sorted((root / "governance" / FOLDER).glob("*.sql")))
    for path in sorted((root / "domains").glob(f"*/{FOLDER}/*.sql")):
        yield path, path.parent.parent.name


def _read(path: Path, where: str, domain: str | None) -> SqlPolicy | str:
    """The policy, or what is wrong with its file."""
    from hanse_governance.model_tables import ModelTables

    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        return f"the rule cannot be read: {error}"
    header = {m[1]: m[2].strip() for m in map(_HEADER.fullmatch, map(str.strip, text.splitlines())) if m}
    missing = [key for key in _NEEDED if key not in header]
    if missing:
        return f"the rule's head lacks {', '.join(f'`-- {key}: …`' for key in missing)}"
    if not _CODE.fullmatch(header["code"]):
        return f"{header['code']!r} is no code: three capitals and three digits, such as ACM001"
    if header["severity"] not in SEVERITIES:
        return f"{header['severity']!r} is no severity: write error or warning"
    tables = ModelTables()
    try:
        columns = tables.query(text).column_names
    except HanseError as error:
        return " ".join(str(error).split())
    finally:
        tables.close()
    if not {"subject", "what"} <= set(columns):
        return f"the rule gives {', '.join(columns)}; it must give subject and what"
    page = f"A rule of this mesh, written in SQL in `{where}`."
    kind = type(
        "SqlPolicy", (SqlPolicy,), {**header, "sql": text, "path": where, "domain": domain, "__doc__": page}
    )
    return kind()
