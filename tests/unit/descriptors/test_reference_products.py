"""The products of this repository keep what descriptors can keep."""

from pathlib import Path

import pytest

from hanse.descriptors import load_mesh
from hanse.descriptors.yaml import dump, parse
from hanse.model.mesh import MeshModel
from hanse.quality.plan import compile_checks, names

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def model() -> MeshModel:
    return load_mesh(ROOT)


def test_there_are_products_over_both_domains(model: MeshModel) -> None:
    assert len([p for p in model.products if p.domain == "orders"]) >= 6
    assert len([p for p in model.products if p.domain == "customers"]) >= 2
    assert model.product("orders/orders_by_state") is not None


def test_each_contract_says_what_readers_need(model: MeshModel) -> None:
    for product in model.products:
        assert product.purpose, product.full_name
        assert product.owner.name, product.full_name
        assert product.owner.email, product.full_name
        assert product.owner.support, product.full_name
        assert product.contract.freshness_ms, product.full_name
        for column in product.contract.columns:
            assert column.description, f"{product.full_name}.{column.name}"
            assert column.classification, f"{product.full_name}.{column.name}"


def test_each_rule_can_be_measured(model: MeshModel) -> None:
    for product in model.products:
        assert [c.name for c in compile_checks(product.contract) if c.broken] == []
        assert len(set(names(product.contract))) == len(names(product.contract))


def test_personal_fields_are_classified_and_locked(model: MeshModel) -> None:
    directory = model.product("customers.customer_directory")
    assert directory is not None
    assert directory.access == "protected"
    columns = {c.name: c.classification for c in directory.contract.columns}
    assert {columns[name] for name in ("name", "email", "street", "postal_code")} == {"restricted"}


def test_written_and_read_again_nothing_is_lost(model: MeshModel) -> None:
    for product in model.products:
        for document in (product.document, product.contract.document):
            assert parse(dump(document), Path("x.yaml")).data == document
