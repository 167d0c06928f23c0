"""A mesh's descriptors: what they mean, and how each fault is told."""

from pathlib import Path

import pytest

from hanse.descriptors import load_mesh, try_load
from hanse.descriptors.domain import duration_ms
from hanse.descriptors.yaml import dump, read
from hanse.errors import ConfigError

DOMAIN = """\
domain: harbour
purpose: Ships come and go.
team: {name: Pilots, email: pilots@harbour.example, support: "#pilots"}
language:
  Ship: What arrives.
topics:
  ship_arrived:
    schema: events/ship.avsc
    key: [ship]
    event_time: at
    watermark: PT5M
    retention: P30D
    access: protected
  ships: {schema: events/ship.avsc, kind: state, key: [ship], partitions: 2}
"""
PRODUCT = """\
apiVersion: v1.1.0
kind: DataProduct
id: harbour.arrivals
name: arrivals
domain: harbour
version: 1.2.0
status: active
description: {purpose: Arrivals by quay.}
inputPorts:
  - {name: harbour.ship_arrived}
outputPorts:
  - {name: arrivals, version: 1.2.0, type: table, contractId: harbour.arrivals}
team: {name: Pilots, members: [{username: pilots@harbour.example, role: owner}]}
support: [{channel: "#pilots", url: "https://harbour.example/pilots"}]
tags: [ships]
customProperties:
  - {property: emission, value: closed}
  - {property: late, value: drop}
"""
CONTRACT = """\
apiVersion: v3.1.0
kind: DataContract
id: harbour.arrivals
version: 1.2.0
status: active
team: {name: Pilots}
schema:
  - name: arrivals
    quality:
      - {metric: rowCount, mustBeGreaterThan: 0}
    properties:
      - {name: quay, logicalType: string, physicalType: STRING, primaryKey: true, description: Where.}
      - name: tons
        logicalType: number
        physicalType: DECIMAL(10, 2)
        classification: internal
        quality:
          - name: tons_positive
            metric: invalidValues
            arguments: {minimum: 0}
            mustBe: 0
            severity: warning
            customProperties: [{property: setAside, value: true}]
slaProperties:
  - {property: freshness, value: 2, unit: h}
"""
FILES = {
    "domains/harbour/domain.yaml": DOMAIN,
    "domains/harbour/events/ship.avsc": "{}",
    "domains/harbour/products/arrivals/product.yaml": PRODUCT,
    "domains/harbour/products/arrivals/contract.yaml": CONTRACT,
    "domains/harbour/products/arrivals/projection.sql": "SELECT quay, tons FROM ship_arrived",
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return tmp_path


def edit(root: Path, name: str, old: str, new: str) -> Path:
    path = next(root / full for full in FILES if full.endswith(name))
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    return path


def test_a_mesh_is_read(root: Path) -> None:
    model = load_mesh(root)
    topic = model.topic("harbour.ship_arrived")
    assert topic is not None
    assert (topic.watermark_delay_ms, topic.retention_ms, topic.access) == (
        300_000,
        2_592_000_000,
        "protected",
    )
    product = model.product("harbour/arrivals")
    assert product is not None
    assert (product.emission, product.late, product.version) == ("closed", "drop", "1.2.0")
    assert product.inputs == ("harbour.ship_arrived",)
    assert (product.owner.name, product.owner.email, product.owner.support) == (
        "Pilots",
        "pilots@harbour.example",
        "#pilots",
    )


def test_a_contract_is_read(root: Path) -> None:
    product = load_mesh(root).product("harbour.arrivals")
    assert product is not None
    contract = product.contract
    assert contract.primary_key == ("quay",)
    assert contract.freshness_ms == 7_200_000
    assert [(c.name, c.logical_type, c.required, c.classification) for c in contract.columns] == [
        ("quay", "string", True, None),
        ("tons", "number", False, "internal"),
    ]
    assert [(r.name, r.column, r.severity, r.set_aside) for r in contract.quality] == [
        ("rowCount_table", None, "error", False),
        ("tons_positive", "tons", "warning", True),
    ]


@pytest.mark.parametrize(
    ("file", "old", "new", "line", "what"),
    [
        ("domain.yaml", "domain: harbour", "domain: port", 1, "named as its folder"),
        ("domain.yaml", "events/ship.avsc\n", "../../../etc/passwd\n", 8, "no schema file"),
        ("domain.yaml", "PT5M", "5 minutes", 11, "not a duration"),
        ("domain.yaml", "key: [ship]\n", "key: [ship]\n    keys: []\n", 10, "knows no keys"),
        ("product.yaml", "name: arrivals\n", "name: departures\n", 4, "name is that of its folder"),
        ("product.yaml", "status: active", "status: alive", 7, "state of a product's life"),
        ("product.yaml", "harbour.ship_arrived", "harbour.ship_arived", 10, "unknown input"),
        ("product.yaml", "kind: DataProduct", "kind: DataProduct\nwharf: 1", 3, "knows no wharf"),
        ("product.yaml", "value: closed", "value: final", 17, "not a value of emission"),
        ("product.yaml", "apiVersion: v1.1.0", "apiVersion: v9.0.0", 1, "not a version of ODPS"),
        ("product.yaml", "contractId: harbour.arrivals", "contractId: other", 11, "no output port is bound"),
        ("product.yaml", "team: {name: Pilots, members", "team: {members", None, None),
        ("contract.yaml", "team: {name: Pilots}\n", "", 1, "the contract has no owner"),
        ("contract.yaml", "apiVersion: v3.1.0", "apiVersion: v2.2.2", 1, "not a version of ODCS"),
        ("contract.yaml", "name: arrivals\n", "name: departures\n", 8, "named as its product"),
        ("contract.yaml", "DECIMAL(10, 2)", "DECIMAL(99, 2)", 13, "cannot be promised"),
        ("contract.yaml", "DECIMAL(10, 2)", "STRING", 13, "logicalType and physicalType differ"),
        ("contract.yaml", "logicalType: number\n        physical", "physical", 13, "has no logicalType"),
        ("contract.yaml", "name: tons\n", "name: Quay\n", 13, "a name of its own"),
        ("contract.yaml", "metric: rowCount", "metric: rowCounts", 10, "breaks ODCS"),
        ("contract.yaml", "unit: h", "unit: moons", 25, "freshness promise"),
        ("contract.yaml", "name: tons_positive", "name: rowCount_table", 18, "two quality rules"),
        (
            "contract.yaml",
            "metric: invalidValues\n            arguments: {minimum: 0}",
            "metric: duplicateValues",
            18,
            "cannot set rows aside",
        ),
        ("contract.yaml", "name: tons_positive", "name: schema", 18, "a check that Hanse makes itself"),
        ("contract.yaml", "kind: DataContract", "kind: DataContract\nkind: DataContract", 3, "appears twice"),
    ],
)
def test_a_fault_is_told_with_its_line(
    root: Path, file: str, old: str, new: str, line: int | None, what: str | None
) -> None:
    path = edit(root, file, old, new)
    _, problems = try_load(root)
    if what is None:
        assert problems == []
        return
    assert [(p.path, p.line) for p in problems] == [(path, line)]
    assert what in problems[0].what
    with pytest.raises(ConfigError) as caught:
        load_mesh(root)
    assert f"{path}:{line}" in str(caught.value)


def test_a_broken_file_costs_only_its_own_product(root: Path) -> None:
    healthy = root / "domains/harbour/products/departures"
    healthy.mkdir()
    for name in ("product.yaml", "contract.yaml"):
        source = root / "domains/harbour/products/arrivals" / name
        (healthy / name).write_text(source.read_text("utf-8").replace("arrivals", "departures"), "utf-8")
    (healthy / "projection.sql").write_text("SELECT 1", "utf-8")
    edit(root, "arrivals/product.yaml", "kind: DataProduct", "kind: [")
    edit(root, "domain.yaml", "team: ", "crew: ")
    model, problems = try_load(root)
    assert [p.full_name for p in model.products] == ["harbour.departures"]
    assert {p.path.name for p in problems} == {"product.yaml", "domain.yaml"}


def test_every_fault_is_listed(root: Path) -> None:
    edit(root, "product.yaml", "harbour.ship_arrived", "harbour.moon")
    edit(root, "contract.yaml", "unit: h", "unit: moons")
    with pytest.raises(ConfigError) as caught:
        load_mesh(root)
    assert "2 faults" in str(caught.value)
    assert "unknown input harbour.moon" in str(caught.value)


def test_a_projection_cannot_lead_outside(root: Path) -> None:
    (root / "secret.sql").write_text("SELECT 1", "utf-8")
    edit(
        root,
        "product.yaml",
        "property: late, value: drop",
        "property: projection, value: ../../../../secret.sql",
    )
    _, problems = try_load(root)
    assert [p.what for p in problems] == ["the projection is missing"]


def test_an_empty_mesh(tmp_path: Path) -> None:
    assert load_mesh(tmp_path).products == ()


def test_the_raw_documents_are_kept(root: Path) -> None:
    product = load_mesh(root).product("harbour.arrivals")
    assert product is not None
    for path, document in (
        (product.directory / "product.yaml", product.document),
        (product.contract.path, product.contract.document),
    ):
        assert read(path).data == document
        path.write_text(dump(document), encoding="utf-8")
        assert read(path).data == document


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [
        ("PT5M", 300_000),
        ("P1DT1H", 90_000_000),
        ("P2W", 1_209_600_000),
        ("PT0S", 0),
        ("P", None),
        ("PT", None),
        ("P1Y", None),
        ("5m", None),
    ],
)
def test_durations(text: str, milliseconds: int | None) -> None:
    assert duration_ms(text) == milliseconds
