"""`hanse product new --from-topic` on a topic that others write: its declaration and the schema of its rows."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from hanse.errors import ConfigError
from hanse.scaffold.domain import wants_project_file
from hanse.scaffold.names import product_name, split_product
from hanse.scaffold.render import write

if TYPE_CHECKING:
    from hanse.external import Found
    from hanse.model.mesh import MeshModel

_NEW_DOMAIN = """\
# The team, and the topics of others that its products read.
domain: {domain}
purpose: Say what this domain is responsible for.
team:
  name: {title}
  email: {domain}@example.org
  support: "#{domain}"
topics:
"""
_PROJECT = """\
[project]
name = "{dashed}"
version = "0.1.0"
requires-python = ">=3.11"
dependencies = []

[tool.uv]
package = false
"""


def declared(model: MeshModel, full_name: str, wanted: str) -> str | None:
    """The full name of a topic or product that the mesh knows by `wanted`; None for one that it does not."""
    domain, _ = split_product(full_name)
    name = wanted if "." in wanted else f"{domain}.{wanted}"
    if model.topic(name) or model.product(name):
        return name
    found = model.domain(domain)
    topics = found.topics if found else ()
    return next((t.full_name for t in topics if t.external and t.external.topic == wanted), None)


def declare(root: Path, full_name: str, found: Found, registry: str | None) -> tuple[str, list[Path]]:
    """Declare the topic in the product's domain, which is made when it is not there; its full name, the files.

    Raises ConfigError when the product's name cannot be, or domain.yaml has a form that cannot be added to.
    """
    from hanse.descriptors import try_load

    domain, product = split_product(full_name)
    product_name(domain)
    product_name(product)
    model, _ = try_load(root)
    known = model.domain(domain)
    folder = PurePosixPath("domains", domain)
    path = root / folder / "domain.yaml"
    if (root / folder / "products" / product).exists():
        raise ConfigError(f"there is a product {domain}/{product} already", fix="choose another name")
    taken = {t.name for t in known.topics} if known else set[str]()
    name = _name(found.topic, {product, *taken, *(p.name for p in model.products if p.domain == domain)})
    schema = PurePosixPath("external", f"{name}{found.suffix}")
    entry = _entry(name, schema, found, registry)
    texts = {folder / schema: found.schema}
    if not path.exists():
        title = domain.replace("_", " ").capitalize()
        texts[folder / "domain.yaml"] = _NEW_DOMAIN.format(domain=domain, title=title) + entry
        if wants_project_file(root):
            texts[folder / "pyproject.toml"] = _PROJECT.format(dashed=domain.replace("_", "-"))
        return f"{domain}.{name}", write(root, texts)
    text = _added(path, name, entry)
    written = write(root, texts)
    path.write_text(text, encoding="utf-8", newline="\n")
    return f"{domain}.{name}", [path, *written]


def _name(topic: str, taken: set[str]) -> str:
    """What the topic is called in SQL: its last part, with more of it or a number where that is taken."""
    parts = [re.sub(r"[^a-z0-9]+", "_", part.lower()).strip("_") for part in topic.split(".")]
    parts = [part for part in parts if part] or ["topic"]
    last = parts[-1] if parts[-1][0].isalpha() else f"topic_{parts[-1]}"
    longer = "_".join([*parts[-2:-1], last])
    options = [last, f"{last}_topic", longer, *(f"{last}_{n}" for n in range(2, 1_000))]
    for option in options:
        if option[:1].isalpha() and len(option) < 63 and option not in taken and _allowed(option):
            return option
    raise ConfigError("no name is left for the topic", got=topic)


def _allowed(name: str) -> bool:
    try:
        product_name(name)
    except ConfigError:
        return False
    return True


def _entry(name: str, schema: PurePosixPath, found: Found, registry: str | None) -> str:
    external = {
        "topic": found.topic,
        "envelope": found.envelope if found.envelope != "none" else None,
        "key_from": "record" if found.key_from == "record" else None,
        "registry": registry,
        "history": "partial" if found.partial else None,
    }
    lines = [f"  {name}:", f"    schema: {schema}", f"    kind: {found.kind}"]
    lines.append(f"    key: [{', '.join(found.key)}]")
    if found.event_time:
        lines.append(f"    event_time: {found.event_time}")
    lines.append("    external:")
    lines += [f'      {key}: "{value}"' for key, value in external.items() if value]
    return "\n".join(lines) + "\n"


def _added(path: Path, name: str, entry: str) -> str:
    """The text of domain.yaml with the entry under `topics`, all else as it was."""
    import yaml as pyyaml

    text = path.read_text(encoding="utf-8")
    if not text.endswith("\n"):
        text += "\n"
    line = re.search(r"^topics:[ \t]*(\{\})?[ \t]*(#.*)?$", text, re.MULTILINE)
    if line is None:
        made = f"{text}topics:\n{entry}"
    else:
        head = line.group().replace("{}", "").rstrip()
        rest = text[line.end() + 1 :]
        deeper = re.match(r"(?:[ \t]*(?:#.*)?\n)*( +)\S", rest)
        step = deeper[1] if deeper else "  "
        shifted = "".join(f"{step}{row[2:]}\n" for row in entry.splitlines())
        made = f"{text[: line.start()]}{head}\n{shifted}{rest}"
    try:
        before, after = pyyaml.safe_load(text), pyyaml.safe_load(made)
    except pyyaml.YAMLError:
        after, before = None, None
    if not _only_added(before, after, name, line is not None):
        raise ConfigError(
            "the topic cannot be added to this file without changing something else",
            where=str(path),
            fix=f"write this under topics:\n{entry}",
        )
    return made


def _only_added(before: Any, after: Any, name: str, made_by_line: bool) -> bool:
    if not isinstance(before, dict) or not isinstance(after, dict):
        return False
    topics = dict(after.get("topics") or {})
    return (
        (made_by_line or "topics" not in before)
        and topics.pop(name, None) is not None
        and topics == (before.get("topics") or {})
        and {**before, "topics": None} == {**after, "topics": None}
    )
