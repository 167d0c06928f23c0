"""A profile shows what columns hold, and nothing of the values of classified ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from hanse.model.mesh import Column, Contract, Product, Team
from hanse_catalog.profile import profile_of

ROW = {
    "column_name": "phone",
    "null_percentage": 25,
    "min": "11-1",
    "max": "99-9",
    "approx_unique": 3,
    "count": 4,
}


@pytest.mark.parametrize(
    ("classification", "shown"),
    [
        (None, "11-1 … 99-9"),
        ("Public", "11-1 … 99-9"),
        ("internal", "11-1 … 99-9"),
        ("personal", ""),
        ("PII", ""),
        ("sensitive", ""),
        ("restricted", ""),
    ],
)
def test_only_open_columns_show_values(classification: str | None, shown: str) -> None:
    column = Column("phone", "string", "STRING", classification=classification)
    path = Path("product")
    contract = Contract("d.p", "1", path, (column,), (), None, {})
    owner = Team("D", "d@book-box.example", "#d")
    product = Product("d", "p", path, "1", "active", "", owner, contract, path / "projection.sql", ())
    values = profile_of(product, [ROW])["phone"]
    assert (values.filled, values.distinct, values.range) == ("75.0", "3", shown)
