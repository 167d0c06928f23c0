"""A small mesh over plain Parquet files: what the catalog sees, without a lakehouse."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb

from hanse.model.mesh import Column, Contract, Domain, Product, QualityRule, Team, Topic
from hanse_catalog.view import Check, Lag, Scan, Snapshot

START = datetime(2026, 11, 1, 8, 0, tzinfo=UTC)

_ORDERS = """
    SELECT 'o' || lpad(i::VARCHAR, 5, '0') AS order_id, 'c' || (i % 97) AS customer_id,
           ['SP','RJ','MG','RS'][1 + i % 4] AS state,
           ['placed','paid','shipped','delivered','cancelled'][1 + i % 5] AS status,
           ((i * 7919) % 100000 / 100)::DECIMAL(18,2) AS total, (i % 9 + 1)::INTEGER AS items,
           TIMESTAMPTZ '2026-01-01 00:00:00+00' + to_minutes(i * 173) AS placed_at,
           (DATE '2026-01-01' + (i % 300)::INTEGER) AS delivery_date,
           CASE WHEN i % 10 = 0 THEN NULL ELSE 'note "' || i || '", äö' END AS note,
           [i % 3, i % 5]::INTEGER[] AS boxes, {'city': 'City ' || (i % 50), 'zip': lpad((i % 90000)::VARCHAR, 5, '0')} AS address,
           '{"channel":"web","score":' || (i % 10) || '}' AS payload, (i % 7 = 0) AS gift
    FROM range(ROWS) t(i)
"""
_TABLES = {
    "orders.orders": _ORDERS,
    "orders.orders_by_state": f"SELECT state, count(*)::BIGINT AS orders, sum(total) AS revenue FROM ({_ORDERS}) GROUP BY state",
    "customers.customers": "SELECT 'c' || i AS customer_id, ['SP','RJ','MG','RS'][1 + i % 4] AS state, DATE '2025-01-01' + (i % 365)::INTEGER AS since FROM range(97) t(i)",
    "orders.salaries": "SELECT 'hidden-' || i AS secret, i AS amount FROM range(9) t(i)",
    "orders.margins": "SELECT 'guarded-' || i AS secret, i AS amount FROM range(9) t(i)",
}
_SIZES = (600, 1000)  # rows of orders.orders in the first and the second snapshot


class SampleMesh:
    """Five products in two domains: three public, one protected, one private; one not published."""

    def __init__(self, root: Path) -> None:
        self.data_root = root / "lakehouse"
        self.data_root.mkdir(parents=True)
        self._root = root
        self._files: dict[tuple[str, int], Path] = {}
        con = duckdb.connect()
        for name, sql in _TABLES.items():
            for seq, rows in enumerate(_SIZES, 1):
                path = self.data_root / f"{name}-{seq}.parquet"
                con.execute(f"COPY ({sql.replace('ROWS', str(rows))}) TO '{path}' (FORMAT parquet)")
                self._files[name, seq] = path
        con.close()
        self._products = tuple(self._product(n) for n in sorted([*_TABLES, "orders.unpublished"]))

    def domains(self) -> tuple[Domain, ...]:
        def topic(domain: str, name: str) -> Topic:
            return Topic(domain, name, self._root / f"{name}.avsc", ("order_id",), event_time="placed_at")

        return (
            Domain(
                "customers",
                self._root,
                Team("Customers", "customers@book-box.example", "#customers"),
                "Who buys, and where they live.",
                language={
                    "Customer": "A person who has ordered at least once.",
                    "Order": "A line in a customer's history.",
                },
                topics=(topic("customers", "customers"),),
            ),
            Domain(
                "orders",
                self._root,
                Team("Orders", "orders@book-box.example", "#orders"),
                "From the basket to the paid order.",
                language={
                    "Order": "A customer's binding wish for boxes at a price.",
                    "Box": "A bundle of books sold as one.",
                },
                topics=(topic("orders", "order_placed"), topic("orders", "orders")),
            ),
        )

    def products(self) -> tuple[Product, ...]:
        return self._products

    def revision(self) -> str:
        return "1"

    def scan(self, full_name: str, as_of: str | None = None) -> Scan | None:
        for snapshot in self.history(full_name):
            if snapshot.status != "published":
                continue
            fits = as_of is None or (
                snapshot.id == as_of if as_of.isdigit() else snapshot.at <= _moment(as_of)
            )
            if fits:
                path = self._files[full_name, snapshot.seq]
                return Scan(f"SELECT * FROM read_parquet(['{path}'])", snapshot.id, snapshot.at)
        return None

    def history(self, full_name: str) -> list[Snapshot]:
        if full_name == "orders.unpublished":
            return []
        checks = (
            Check("unique_keys", True),
            Check("total_not_negative", True, column="total", detail="0 of 1,000 rows"),
        )
        failed = (checks[0], replace(checks[1], passed=False, detail="3 of 1,020 rows are below 0"))
        first = Snapshot("7001", START, 1, "published", 600, 600, "1.0.0", checks)
        second = Snapshot("7002", START + timedelta(days=1), 2, "published", 1000, 400, "1.0.0", checks)
        rejected = Snapshot("7003", START + timedelta(days=2), 3, "rejected", 1020, 20, "1.0.0", failed)
        return [rejected, second, first] if full_name == "orders.orders" else [second, first]

    def tables(self) -> list[str]:
        return []

    def table(self, full_name: str) -> None:
        return None

    def lag(self, full_name: str) -> Lag | None:
        if full_name == "orders.unpublished":
            return None
        return Lag(120, 300.0) if full_name == "orders.orders" else Lag(0, 0.0)

    def _product(self, full_name: str) -> Product:
        domain, name = full_name.split(".")
        con = duckdb.connect()
        path = self._files.get((full_name, 2)) or self._files["orders.orders", 2]
        rows = con.execute(f"DESCRIBE SELECT * FROM read_parquet('{path}')").fetchall()
        con.close()
        columns = tuple(
            Column(
                row[0],
                "string",
                row[1].lower(),
                i == 0,
                i == 0,
                _classes().get(row[0]),
                f"The {row[0]} of it.",
            )
            for i, row in enumerate(rows)
        )
        rules = (
            QualityRule("unique_keys", {"metric": "duplicateValues", "mustBe": 0}),
            QualityRule("total_not_negative", {"metric": "invalidValues", "mustBe": 0}, "total"),
        )
        contract = Contract(
            f"{full_name}-contract", "1.0.0", self._root / "contract.yaml", columns, rules, 600_000
        )
        inputs = {
            "orders.orders_by_state": ("orders.orders",),
            "customers.customers": ("customers.customers",),
        }
        access = {"orders.salaries": "private", "orders.margins": "protected"}.get(full_name, "public")
        sql = self._root / f"{full_name}.sql"
        sql.write_text(f"SELECT * FROM {full_name}_source\n", encoding="utf-8")
        return Product(
            domain,
            name,
            self._root,
            "1.2.0",
            "draft" if name == "unpublished" else "active",
            f"What the {domain} team knows about {name.replace('_', ' ')}.",
            Team(domain.title(), f"{domain}@book-box.example", f"#{domain}"),
            contract,
            sql,
            inputs.get(full_name, ("orders.order_placed",)),
            access,  # type: ignore[arg-type]
            tags=("sales",) if domain == "orders" else ("people",),
        )


def _classes() -> dict[str, str]:
    return {"customer_id": "personal", "secret": "confidential"}


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
