"""A contract in the formats of others."""

from __future__ import annotations

import json
from typing import Any, Literal

from hanse.descriptors import yaml
from hanse.descriptors.types import physical_type
from hanse.errors import ConfigError
from hanse.interchange.converters import converters
from hanse.model.mesh import Product
from hanse.quoting import quote

ExportFormat = Literal[
    "sql",
    "avro",
    "jsonschema",
    "protobuf",
    "pydantic",
    "great-expectations",
    "dbt",
    "mermaid",
    "html",
    "markdown",
]
_NAMES = {"pydantic": "pydantic-model", "dbt": "dbt-models"}
_BOUNDS = {
    "mustBeGreaterOrEqualTo": ("min_value", 0),
    "mustBeGreaterThan": ("min_value", 1),
    "mustBeLessOrEqualTo": ("max_value", 0),
    "mustBeLessThan": ("max_value", -1),
}


def exported(product: Product, form: ExportFormat, dialect: str = "duckdb") -> tuple[str, tuple[str, ...]]:
    """The product's contract in that format, and the names of the rules that the format cannot say.

    Raises ConfigError when it cannot be converted.
    """
    if form == "sql":
        return _ddl(product, dialect), ()
    with converters(f"the contract of {product.full_name}") as data_contract:
        text = yaml.dump(product.contract.document)
        made: Any = data_contract(
            data_contract_str=text, inline_references=False, untrusted_contract=True
        ).export(_NAMES.get(form, form))
    if form == "great-expectations":
        return _suite(product, json.loads(made))
    text = made if isinstance(made, str) else json.dumps(made, indent=2)
    return (text if text.endswith("\n") else text + "\n"), ()


def _ddl(product: Product, dialect: str) -> str:
    """CREATE TABLE in that dialect, from the types that the table really has."""
    import sqlglot
    from sqlglot.errors import SqlglotError

    columns = [
        f"{quote(c.name)} {physical_type(c.physical_type).duckdb}{' NOT NULL' if c.required else ''}"
        for c in product.contract.columns
    ]
    if product.contract.primary_key:
        columns.append(f"PRIMARY KEY ({', '.join(map(quote, product.contract.primary_key))})")
    text = f"CREATE TABLE {quote(product.domain)}.{quote(product.name)} ({', '.join(columns)})"
    try:
        return sqlglot.transpile(text, read="duckdb", write=dialect, pretty=True)[0] + ";\n"
    except (SqlglotError, ValueError) as error:
        raise ConfigError("the table cannot be said in that dialect", got=str(error)[:300]) from error


def _suite(product: Product, suite: dict[str, Any]) -> tuple[str, tuple[str, ...]]:
    """The suite with the row counts that the converter leaves out; and the rules that are still not in it."""
    said = json.dumps(suite)
    left: list[str] = []
    for rule in product.contract.quality:
        if rule.definition.get("metric") == "rowCount" and (bounds := _bounds(rule.definition)):
            meta = {"name": rule.name}
            kind = "expect_table_row_count_to_be_between"
            suite["expectations"].append({"type": kind, "kwargs": bounds, "meta": meta})
        elif f".{rule.name}" not in said and f'"{rule.name}"' not in said:
            left.append(rule.name)
    return json.dumps(suite, indent=2, ensure_ascii=False) + "\n", tuple(left)


def _bounds(definition: dict[str, Any]) -> dict[str, int]:
    bounds = {
        name: int(definition[operator]) + more
        for operator, (name, more) in _BOUNDS.items()
        if operator in definition
    }
    if "mustBe" in definition:
        bounds = {"min_value": int(definition["mustBe"]), "max_value": int(definition["mustBe"])}
    return bounds
