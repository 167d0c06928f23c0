"""SQL002."""

from __future__ import annotations

from collections.abc import Iterator

from hanse.model.mesh import Product
from hanse_governance.column_types import comparable, contract_type
from hanse_governance.finding import Finding
from hanse_governance.policy import Policy
from hanse_governance.view import MeshView


class ContractMatches(Policy):
    """The columns that a contract promises are those that the projection gives: names, order and types.

    Rows that change need a primary key.

    ## Examples

    Breaks it: the contract has `revenue: decimal(18, 2)` and the SQL gives `COUNT(*) AS revenue`.

    Keeps it: the same names on both sides, and types that hold the values without loss.
    """

    code = "SQL002"
    name = "contract-differs-from-projection"
    severity = "error"
    why = "The contract is what readers build on; a projection that gives something else breaks them."

    def check(self, mesh: MeshView) -> Iterator[Finding]:
        """Missing, surplus and differently typed columns."""
        for product in mesh.model.products:
            columns = mesh.plan(product).columns
            if columns is not None:
                yield from self._compare(mesh, product, dict(columns))
                yield from self._order(mesh, product, [name for name, _ in columns])
                if mesh.plan(product).updates and not product.contract.primary_key:
                    yield self.finding(
                        mesh.in_contract(product, "schema", 0, "properties"),
                        product.full_name,
                        f"the rows of {product.full_name} change, and its contract has no primary key",
                        fix="mark the columns that name a row with `primaryKey: true`",
                    )

    def _order(self, mesh: MeshView, product: Product, given: list[str]) -> Iterator[Finding]:
        promised = [c.name for c in product.contract.columns]
        if promised != given and sorted(promised) == sorted(given):
            yield self.finding(
                mesh.in_sql(product),
                product.full_name,
                f"the projection gives {', '.join(given)}, the contract has {', '.join(promised)}",
                fix="select the columns in the contract's order: they are taken by their places",
            )

    def _compare(self, mesh: MeshView, product: Product, given: dict[str, str]) -> Iterator[Finding]:
        promised = {c.name: c for c in product.contract.columns}
        for name, column in promised.items():
            if name not in given:
                yield self.finding(
                    mesh.in_column(product, name),
                    product.full_name,
                    f"the contract promises {name}, which the projection does not give",
                    fix=f"select a column named {name}, or take it out of the contract",
                )
            elif not comparable(contract_type(column), given[name]):
                wanted = contract_type(column)
                yield self.finding(
                    mesh.in_column(product, name, "physicalType"),
                    product.full_name,
                    f"the contract promises {name} as {wanted}, the projection gives {given[name]}",
                    fix="correct the type in the contract, or cast the column in the projection",
                )
        for name in given:
            if name not in promised:
                yield self.finding(
                    mesh.in_sql(product),
                    product.full_name,
                    f"the projection gives {name}, which the contract does not promise",
                    fix=f"promise {name} in the contract, or do not select it",
                )
