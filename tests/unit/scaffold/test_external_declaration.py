"""Where the declaration of a topic of others goes in domain.yaml: beside what stands there, and nothing else moves."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from hanse.descriptors import load_mesh
from hanse.errors import ConfigError
from hanse.external import Found
from hanse.scaffold.external import declare, declared

SCHEMA = '{"type": "object", "properties": {"id": {"type": "string"}}, "required": ["id"]}'
HEAD = "# kept\ndomain: crm\nteam: {name: Crm}   # kept too\n"
OTHER = "{schema: external/row.json, key: [id], external: {topic: x.rows}}"
FORMS = {
    "no topics": HEAD,
    "no line end": HEAD.rstrip("\n"),
    "empty": f"{HEAD}topics: {{}}  # none yet\npurpose: p\n",
    "null": f"{HEAD}topics:\npurpose: p\n",
    "two deep": f"{HEAD}topics:\n  # about rows\n  rows: {OTHER}\npurpose: p\n",
    "four deep": f"{HEAD}topics:\n\n    rows: {OTHER}\npurpose: p\n",
}


def found(topic: str = "db1.shop.Customers") -> Found:
    return Found(topic, "JSON", "none", SCHEMA, ("id",), "value", "state", None, False, 1, 1, [])


def domain(root: Path, text: str) -> Path:
    folder = root / "domains/crm"
    (folder / "external").mkdir(parents=True)
    (folder / "external/row.json").write_text(SCHEMA)
    (folder / "domain.yaml").write_text(text)
    return folder / "domain.yaml"


@pytest.mark.parametrize("form", FORMS)
def test_the_entry_is_added_and_the_rest_stays(form: str, tmp_path: Path) -> None:
    path = domain(tmp_path, FORMS[form])
    before = yaml.safe_load(FORMS[form])
    name, _ = declare(tmp_path, "crm/report", found(), None)
    text = path.read_text()
    after = yaml.safe_load(text)
    added = after["topics"].pop("customers")
    assert (name, added["external"]["topic"]) == ("crm.customers", "db1.shop.Customers")
    assert (after.pop("topics") or {}) == (before.pop("topics", None) or {})
    assert after == before
    assert all(line in text for line in FORMS[form].splitlines() if "#" in line and "{}" not in line)
    model = load_mesh(tmp_path)
    assert declared(model, "crm/other", "db1.shop.Customers") == "crm.customers"
    assert declared(model, "other/other", "db1.shop.Customers") is None


@pytest.mark.parametrize("topics", [f"topics: {{rows: {OTHER}}}\n", '"topics": {}\n'])
def test_a_form_that_cannot_be_added_to_is_left_alone(topics: str, tmp_path: Path) -> None:
    path = domain(tmp_path, HEAD + topics)
    with pytest.raises(ConfigError, match="write this under topics"):
        declare(tmp_path, "crm/report", found(), None)
    assert path.read_text() == HEAD + topics
    assert not (tmp_path / "domains/crm/external/customers.json").exists()


@pytest.mark.parametrize(
    ("topic", "name"),
    [
        ("a.report", "report_topic"),
        ("a.b.rows", "rows_topic"),
        ("x.9", "topic_9"),
        ("shop.ORDERS-V2", "orders_v2"),
    ],
)
def test_names_in_sql(topic: str, name: str, tmp_path: Path) -> None:
    domain(tmp_path, f"{HEAD}topics:\n  rows: {OTHER}\n")
    assert declare(tmp_path, "crm/report", found(topic), None)[0] == f"crm.{name}"


def test_a_workspace_of_projects_gets_one_without_a_package(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool.uv.workspace]\nmembers = ["domains/*"]\n')
    _, written = declare(tmp_path, "web/report", found(), "env:REGISTRY")
    assert {p.name for p in written} == {"domain.yaml", "pyproject.toml", "customers.json"}
    assert load_mesh(tmp_path).domains[0].topics[0].external.registry == "env:REGISTRY"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("declaration", "fault"),
    [
        ("schema: external/row.json, key: [], kind: state, external: {topic: t}", "needs a key"),
        ("schema: external/row.json, key: [id], external: {topic: t, envelope: debezium}", "are a state"),
        ("schema: external/row.proto, key: [id], external: {topic: t, envelope: connect}", "cannot be read"),
        ("schema: external/row.json, key: [id], partitions: 4, external: {topic: t}", "breaks"),
        ("schema: external/row.json, key: [id], external: {topic: t, registry: 'http://u:p@h'}", "registry"),
        ("schema: external/row.json, key: []", "key"),
    ],
)
def test_declarations_that_cannot_hold(declaration: str, fault: str, tmp_path: Path) -> None:
    path = domain(tmp_path, f"{HEAD}topics:\n  rows: {{{declaration}}}\n")
    (path.parent / "external/row.proto").write_text('syntax = "proto3"; message Row { string id = 1; }')
    with pytest.raises(ConfigError, match=fault):
        load_mesh(tmp_path)
