"""Products, snapshots and domains as plain JSON values."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from hanse.model.mesh import Column, Domain, Product, Team

from .access import Reader
from .catalog import Catalog, Listed
from .health import Health
from .view import Check, Snapshot


def summary(item: Listed) -> dict[str, Any]:
    """A product in a list."""
    product = item.product
    published = item.health.published if item.health else None
    return {
        "name": product.full_name,
        "domain": product.domain,
        "product": product.name,
        "purpose": product.purpose,
        "owner": product.owner.name,
        "version": product.version,
        "lifecycle": product.lifecycle,
        "access": product.access,
        "tags": list(product.tags),
        "state": item.health.state if item.health else "unknown",
        "rows": published.rows if published else None,
        "published_at": published.at.isoformat() if published else None,
        "links": {
            "self": f"/api/products/{product.domain}/{product.name}",
            "page": page_of(product.full_name),
        },
    }


def page_of(full_name: str) -> str:
    """The page of a product."""
    return "/products/" + full_name.replace(".", "/", 1)


def team(value: Team) -> dict[str, Any]:
    """Who answers."""
    return {"name": value.name, "email": value.email, "support": value.support}


def column(value: Column) -> dict[str, Any]:
    """A column as the contract promises it."""
    return {
        "name": value.name,
        "logical_type": value.logical_type,
        "physical_type": value.physical_type,
        "required": value.required,
        "primary_key": value.primary_key,
        "classification": value.classification,
        "description": value.description,
        "business_name": value.business_name,
    }


def check(value: Check) -> dict[str, Any]:
    """One check of a snapshot."""
    return {
        "name": value.name,
        "passed": value.passed,
        "severity": value.severity,
        "column": value.column,
        "detail": value.detail,
    }


def snapshot(value: Snapshot) -> dict[str, Any]:
    """A publication, or a rejected one."""
    return {
        "id": value.id,
        "seq": value.seq,
        "at": value.at.isoformat(),
        "status": value.status,
        "rows": value.rows,
        "changed": value.changed,
        "contract_version": value.contract_version,
        "checks": [check(c) for c in value.checks],
        **value.detail,
    }


def health(value: Health) -> dict[str, Any]:
    """A product's state with its evidence."""
    return {
        "state": value.state,
        "sentence": value.sentence,
        "freshness": {
            "state": value.freshness.state,
            "detail": value.freshness.detail,
            "lag_records": value.lag.records if value.lag else None,
            "lag_seconds": value.lag.seconds if value.lag else None,
        },
        "checks": {"state": value.checks.state, "detail": value.checks.detail},
    }


def product(catalog: Catalog, value: Product, reader: Reader, recent: int = 20) -> dict[str, Any]:
    """All of a product: who, what, promises, state, lineage, recent history."""
    state = catalog.health.of(value, fresh=True)
    history = catalog.view.history(value.full_name)
    contract = value.contract
    return {
        **summary(Listed(value, state)),
        "description": value.purpose,
        "owner": team(value.owner),
        "contract": {
            "id": contract.id,
            "version": contract.version,
            "freshness_seconds": contract.freshness_ms / 1_000 if contract.freshness_ms is not None else None,
            "primary_key": list(contract.primary_key),
            "quality": [
                {
                    "name": r.name,
                    "column": r.column,
                    "severity": r.severity,
                    "set_aside": r.set_aside,
                    **_rule(r.definition),
                }
                for r in contract.quality
            ],
            "document": contract.document,
        },
        "schema": [column(c) for c in contract.columns],
        "health": health(state),
        "verdict": snapshot(state.latest) if state.latest else None,
        "published": snapshot(state.published) if state.published else None,
        "freshness": health(state)["freshness"],
        "lineage": {"inputs": list(value.inputs), "consumers": catalog.consumers(value, reader)},
        "history": [snapshot(s) for s in history[:recent]],
        "queryable": reader.may_query(value) and state.published is not None,
    }


def _rule(definition: dict[str, Any]) -> dict[str, Any]:
    return {"definition": definition}


def domain(catalog: Catalog, value: Domain, reader: Reader) -> dict[str, Any]:
    """A domain: team, language, topics, products."""
    return {
        "name": value.name,
        "purpose": value.purpose,
        "team": team(value.team),
        "language": dict(value.language),
        "topics": [
            {
                "name": t.full_name,
                "kind": t.kind,
                "key": list(t.key),
                "event_time": t.event_time,
                "access": t.access,
                "external": asdict(t.external) if t.external else None,
            }
            for t in value.topics
        ],
        "products": [
            p.full_name for p in catalog.view.products() if p.domain == value.name and reader.may_see(p)
        ],
    }
