"""`hanse product new`: a product over a topic, with a contract that matches its projection."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from hanse.errors import ConfigError
from hanse.model.mesh import Domain, MeshModel, Product, Topic
from hanse.scaffold.names import product_name, split_product
from hanse.scaffold.render import render, write

_AVRO = {
    "string": "STRING",
    "int": "INT",
    "long": "BIGINT",
    "float": "FLOAT",
    "double": "DOUBLE",
    "boolean": "BOOLEAN",
}
_LOGICAL = {
    "timestamp-millis": "TIMESTAMP(3)",
    "timestamp-micros": "TIMESTAMP(6)",
    "local-timestamp-millis": "TIMESTAMP(3)",
    "local-timestamp-micros": "TIMESTAMP(6)",
    "date": "DATE",
    "uuid": "STRING",
}


@dataclass(frozen=True, slots=True)
class _Column:
    """A column of the source: its type as a contract writes it, None when the template leaves it out."""

    name: str
    kind: str
    required: bool
    doc: str
    personal: bool = False


@dataclass(frozen=True, slots=True)
class _Plan:
    """The product to write: its query, and the columns that come out (name, type, key, doc)."""

    query: str
    comment: str
    columns: tuple[tuple[str, str, bool, bool, str], ...]


def product_new(
    root: Path, full_name: str, from_topic: str | None = None, *, prefer: Sequence[str] = ()
) -> list[Path]:
    """Make a product `domain/name` in the mesh at `root`; gives the files written.

    It reads `from_topic` (a topic or product, by full name or by its name inside the domain), or the
    domain's first topic. `prefer` names columns to group by, the best first.
    Raises ConfigError: no such domain or topic, a name that cannot be or is taken.
    """
    from hanse.descriptors import try_load

    domain_part, name = split_product(full_name)
    product_name(name)
    model, problems = try_load(root)
    domain = model.domain(domain_part)
    if domain is None:
        broken = next((p for p in problems if p.path.parent.name == domain_part), None)
        if broken is not None:
            raise broken.error()
        raise ConfigError(
            f"there is no domain {domain_part}",
            expected=", ".join(d.name for d in model.domains) or "a domain of this mesh",
            fix=f"run `hanse domain new {domain_part}` first",
        )
    if any(t.name == name for t in domain.topics):
        raise ConfigError(f"{domain.name} has a topic of that name", got=name, fix="choose another name")
    source = _source(model, domain, from_topic)
    columns = _columns(source)
    plan = _aggregate(domain, source, columns, prefer) or _selection(domain, source, columns)
    folder = PurePosixPath("domains", domain.name, "products", name)
    texts = render("product", _values(domain, name, source, plan))
    return write(root, {folder / path: text for path, text in texts.items()})


def _source(model: MeshModel, domain: Domain, wanted: str | None) -> Topic | Product:
    if wanted is None:
        if not domain.topics:
            raise ConfigError(
                f"{domain.name} has no topic to read",
                where=str(domain.directory / "domain.yaml"),
                fix="declare one, or name a topic of another domain with --from-topic",
            )
        return domain.topics[0]
    name = wanted if "." in wanted else f"{domain.name}.{wanted}"
    found = model.topic(name) or model.product(name)
    if found is None:
        known = [t.full_name for d in model.domains for t in d.topics] + [p.full_name for p in model.products]
        raise ConfigError(
            f"there is no topic or product {name}", expected=", ".join(known[:20]), got=wanted[:100]
        )
    return found


def _columns(source: Topic | Product) -> list[_Column]:
    if isinstance(source, Product):
        return [
            _Column(
                c.name,
                c.physical_type,
                c.required,
                c.description,
                c.classification not in (None, "public", "internal"),
            )
            for c in source.contract.columns
        ]
    if source.schema_path.suffix == ".avsc":
        document: Any = json.loads(source.schema_path.read_text(encoding="utf-8"))
        return [c for field in document.get("fields", []) if (c := _field(field)) is not None]
    return _columns_of_schema(source)


def _columns_of_schema(topic: Topic) -> list[_Column]:
    """The columns of a JSON Schema or a Protobuf message that a contract can promise."""
    from hanse.projection.program import topic_schema
    from hanse.wire.avro.types import sql_of_arrow

    text, schema = topic_schema(topic)
    document: Any = json.loads(text) if topic.schema_path.suffix == ".json" else {}
    required, properties = document.get("required") or [], document.get("properties") or {}
    made: list[_Column] = []
    for field in schema:
        kind, said = sql_of_arrow(field.type), properties.get(field.name) or {}
        if kind.startswith(("ROW", "MAP", "ARRAY", "BINARY", "INTERVAL")):
            continue
        personal = said.get("hanse.classification") == "personal"
        doc = str(said.get("description") or field.name)
        made.append(_Column(field.name, kind, field.name in required, doc, personal))
    return made


def _field(field: dict[str, Any]) -> _Column | None:
    kind: Any = field["type"]
    required = not (isinstance(kind, list) and "null" in kind)
    if isinstance(kind, list):
        branches = [b for b in kind if b != "null"]
        kind = branches[0] if len(branches) == 1 else None
    name = _type(kind)
    doc = str(field.get("doc") or field["name"])
    personal = "hanse.personal" in field or field.get("hanse.classification") == "personal"
    return None if name is None else _Column(field["name"], name, required, doc, personal)


def _type(kind: Any) -> str | None:
    if isinstance(kind, str):
        return _AVRO.get(kind)
    if not isinstance(kind, dict):
        return None
    if kind.get("logicalType") == "decimal":
        return f"DECIMAL({kind.get('precision', 18)}, {kind.get('scale', 0)})"
    if kind.get("type") == "enum":
        return "STRING"
    return _LOGICAL.get(kind.get("logicalType", "")) or _AVRO.get(kind.get("type", ""))


def _aggregate(
    domain: Domain, source: Topic | Product, columns: list[_Column], prefer: Sequence[str]
) -> _Plan | None:
    """Count and sum by the preferred or first column that groups; None when there is none."""
    keys = source.key if isinstance(source, Topic) else source.contract.primary_key
    texts = [c for c in columns if c.kind == "STRING" and not c.personal and c.name not in keys]
    named = {c.name: c for c in texts if c.required or c.name in prefer}
    groups = [c for name in prefer if (c := named.get(name))]
    external = isinstance(source, Topic) and source.external is not None
    if not external:  # a sample tells more than a name
        groups += [c for c in named.values() if not c.name.endswith("_id")]
    if not groups:
        return None
    by = groups[0]
    amount = next((c for c in columns if c.kind.startswith("DECIMAL") and c.required), None)
    selected = [f"{_quoted(by.name)}", "COUNT(*) AS record_count"]
    made = [
        (by.name, by.kind, True, True, by.doc),
        ("record_count", "BIGINT", False, True, f"How many records of {source.full_name} there are."),
    ]
    if amount is not None:
        scale = amount.kind.rsplit(",", 1)[1].strip(" )")
        selected.append(f"SUM({_quoted(amount.name)}) AS {amount.name}_total")
        made.append((f"{amount.name}_total", f"DECIMAL(38, {scale})", False, True, f"Sum of: {amount.doc}"))
    present = "" if by.required else f"\nWHERE {_quoted(by.name)} IS NOT NULL"
    query = (
        f"SELECT {', '.join(selected)}\nFROM {_table(domain, source)}{present}\nGROUP BY {_quoted(by.name)}"
    )
    comment = f"-- One row for each {by.name}, kept up to date with every record of {source.full_name}."
    return _Plan(query, comment, tuple(made))


def _selection(domain: Domain, source: Topic | Product, columns: list[_Column]) -> _Plan:
    """The source's columns as they are, without personal ones."""
    keys = source.key if isinstance(source, Topic) else source.contract.primary_key
    keyed = not (isinstance(source, Topic) and source.kind == "events")
    chosen = [c for c in columns if not c.personal]
    if not chosen:
        raise ConfigError(f"{source.full_name} has no column that a product can show")
    query = f"SELECT {', '.join(_quoted(c.name) for c in chosen)}\nFROM {_table(domain, source)}"
    made = tuple((c.name, c.kind, keyed and c.name in keys, c.required, c.doc) for c in chosen)
    return _Plan(query, f"-- Every record of {source.full_name}.", made)


def _table(domain: Domain, source: Topic | Product) -> str:
    name = _quoted(source.name)
    return name if source.domain == domain.name else f"{_quoted(source.domain)}.{name}"


def _quoted(name: str) -> str:
    from hanse.scaffold.names import is_sql_word

    return f"`{name}`" if is_sql_word(name) else name


def _values(domain: Domain, name: str, source: Topic | Product, plan: _Plan) -> dict[str, str]:
    team = domain.team
    support = team.support or f"#{domain.name}"
    return {
        "domain": domain.name,
        "product": name,
        "source": source.full_name,
        "purpose": f"{name.replace('_', ' ').capitalize()}: say in one sentence what it is for.",
        "team": json.dumps(team.name, ensure_ascii=False),
        "email": json.dumps(team.email or f"{domain.name}@example.org", ensure_ascii=False),
        "support": support.replace('"', ""),
        "url": f"https://example.org/{domain.name}",
        "properties": "\n".join(_property(*column) for column in plan.columns),
        "comment": plan.comment,
        "query": plan.query,
    }


def _property(name: str, kind: str, key: bool, required: bool, doc: str) -> str:
    from hanse.descriptors.types import physical_type

    lines = [
        f"      - name: {name}",
        f"        logicalType: {physical_type(kind).logical}",
        f"        physicalType: {kind}",
        f"        description: {json.dumps(doc, ensure_ascii=False)}",
    ]
    if required:
        lines.append("        required: true")
    if key:
        lines += ["        primaryKey: true", "        primaryKeyPosition: 1"]
    lines.append("        classification: internal")
    if required:
        lines += [
            "        quality:",
            f"          - name: {name}_present",
            "            metric: nullValues",
            "            mustBe: 0",
        ]
    return "\n".join(lines)
