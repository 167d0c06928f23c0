"""`product.yaml`: an ODPS 1 document, and what Hanse takes from it.

Input ports are named by the full name of the topic or product that they read. customProperties that
Hanse reads, because the standard has no field for them: `emission` (update or closed), `late` (keep or
drop), `access` (public, protected or private) and `projection` (the SQL file, default projection.sql).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hanse.descriptors import standards, yaml
from hanse.descriptors.contract import FILE as CONTRACT
from hanse.descriptors.contract import custom, members, owner, read_contract
from hanse.descriptors.domain import inside
from hanse.descriptors.problem import Invalid, Problem
from hanse.descriptors.yaml import Document
from hanse.model.mesh import Product, Team

FILE = "product.yaml"
CHOICES = {
    "emission": ("update", "closed"),
    "late": ("keep", "drop"),
    "access": ("public", "protected", "private"),
}
LIFECYCLE = ("draft", "proposed", "active", "deprecated", "retired")


def read_product(directory: Path, domain: str, problems: list[Problem]) -> Product | None:
    """The product in a folder, or None when unusable; faults are added to `problems`."""
    contract = read_contract(directory / CONTRACT, directory.name, problems)
    try:
        document = yaml.read(directory / FILE)
    except Invalid as error:
        problems.append(error.problem)
        return None
    found = standards.check_product(document) or _meaning(document, directory.name, domain)
    problems.extend(found)
    sql = _projection(document, directory, problems)
    if found or contract is None or sql is None:
        return None
    problems.extend(_agreement(document, contract.id))
    data = document.data
    return Product(
        domain=domain,
        name=directory.name,
        directory=directory,
        version=data.get("version", contract.version),
        lifecycle=data["status"],
        purpose=(data.get("description") or {}).get("purpose", ""),
        owner=_team(data),
        contract=contract,
        sql_path=sql,
        inputs=tuple(port["name"] for port in data.get("inputPorts") or []),
        access=custom(data, "access") or "public",
        emission=custom(data, "emission") or "update",
        late=custom(data, "late") or "keep",
        tags=tuple(data.get("tags") or ()),
        document=data,
    )


def _meaning(document: Document, name: str, domain: str) -> list[Problem]:
    data = document.data
    found: list[Problem] = []
    for key, wanted in (("name", name), ("domain", domain)):
        if data.get(key, wanted) != wanted:
            found.append(
                document.problem(
                    f"the product's {key} is that of its folder", key, expected=wanted, got=data[key]
                )
            )
    if data.get("status") not in LIFECYCLE:
        found.append(
            document.problem(
                "this is not a state of a product's life",
                "status",
                expected=", ".join(LIFECYCLE),
                got=str(data.get("status")),
            )
        )
    if not data.get("inputPorts"):
        found.append(
            document.problem("the product reads nothing", "inputPorts", expected="at least one input port")
        )
    return [*found, *_custom_properties(document)]


def _custom_properties(document: Document) -> list[Problem]:
    found: list[Problem] = []
    for index, entry in enumerate(document.data.get("customProperties") or []):
        allowed = CHOICES.get(entry["property"])
        if allowed and entry["value"] not in allowed:
            found.append(
                document.problem(
                    f"this is not a value of {entry['property']}",
                    "customProperties",
                    index,
                    expected=", ".join(allowed),
                    got=str(entry["value"]),
                )
            )
    return found


def _projection(document: Document, directory: Path, problems: list[Problem]) -> Path | None:
    name = str(custom(document.data, "projection") or "projection.sql")
    path = inside(directory, name)
    if path is not None and path.is_file():
        return path
    problems.append(
        document.problem(
            "the projection is missing", expected=f"a SQL file inside {directory.name}/", got=name
        )
    )
    return None


def _agreement(document: Document, contract_id: str) -> list[Problem]:
    """The output port points to the contract beside it; the product has an owner."""
    ports = document.data.get("outputPorts") or []
    found: list[Problem] = []
    if contract_id not in [port.get("contractId") for port in ports]:
        found.append(
            document.problem(
                "no output port is bound to the contract",
                "outputPorts",
                expected=f"contractId: {contract_id}",
            )
        )
    if not owner(document.data):
        found.append(
            document.problem(
                "the product has no owner", "team", expected="team.name, or a member with the role owner"
            )
        )
    return found


def _team(data: dict[str, Any]) -> Team:
    people = [str(m.get("username", "")) for m in members(data)]
    channels = data.get("support") or []
    return Team(
        name=owner(data) or "",
        email=next((name for name in people if "@" in name), None),
        support=channels[0].get("channel") if channels else None,
    )
