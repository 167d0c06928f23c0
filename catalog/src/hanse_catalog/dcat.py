"""The catalog as linked data: W3C DCAT 3 with the OMG's data product ontology (DPROD), as JSON-LD."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

from hanse.model.mesh import Domain, Product, Team

from .present import page_of

MEDIA_TYPE = "application/ld+json"
_CONTEXT = {
    "dcat": "http://www.w3.org/ns/dcat#",
    "dct": "http://purl.org/dc/terms/",
    "dprod": "https://ekgf.github.io/dprod/",
    "foaf": "http://xmlns.com/foaf/0.1/",
    "vcard": "http://www.w3.org/2006/vcard/ns#",
}
_STATUS = {
    "draft": "Design",
    "proposed": "Design",
    "active": "Consume",
    "deprecated": "Deprecated",
    "retired": "Retired",
}
"""The lifecycle in DPROD's words."""


def document(base: str, domains: Iterable[Domain], products: Iterable[Product]) -> dict[str, Any]:
    """The whole catalog; `base` is its address without a slash at the end."""
    listed = list(products)
    return {
        "@context": _CONTEXT,
        "@id": f"{base}/dcat",
        "@type": "dcat:Catalog",
        "dct:title": "Hanse catalog",
        "foaf:homepage": {"@id": f"{base}/"},
        "dcat:themeTaxonomy": [{"@id": _domain(base, d.name), "dct:title": d.name} for d in domains],
        "dcat:dataset": [_dataset(base, p) for p in listed],
        "dprod:dataProduct": [_product(base, p) for p in listed],
    }


def _product(base: str, product: Product) -> dict[str, Any]:
    return {
        "@id": base + page_of(product.full_name),
        "@type": "dprod:DataProduct",
        "dct:identifier": product.full_name,
        "dct:title": product.name,
        "dct:description": product.purpose,
        "dcat:version": product.version,
        "dprod:domain": {"@id": _domain(base, product.domain)},
        "dprod:dataProductOwner": _agent(product.owner),
        "dprod:lifecycleStatus": {"@id": f"dprod:{_STATUS[product.lifecycle]}"},
        "dprod:purpose": product.purpose,
        "dprod:inputPort": [{"@id": f"urn:hanse:table:{name}"} for name in product.inputs],
        "dprod:outputPort": [_port(base, product)],
    }


def _port(base: str, product: Product) -> dict[str, Any]:
    rows = quote(f"SELECT * FROM {product.full_name}")  # noqa: S608 - an address, judged like any query
    return {
        "@type": "dcat:DataService",
        "dct:title": f"{product.full_name} over HTTP and Iceberg REST",
        "dcat:endpointURL": {"@id": f"{base}/api/query?sql={rows}&format=arrow"},
        "dcat:endpointDescription": {"@id": f"{base}/openapi.json"},
        "dct:accessRights": product.access,
        "dprod:isAccessServiceOf": {"@id": f"urn:hanse:table:{product.full_name}"},
    }


def _dataset(base: str, product: Product) -> dict[str, Any]:
    contract = product.contract
    return {
        "@id": f"urn:hanse:table:{product.full_name}",
        "@type": "dcat:Dataset",
        "dct:title": product.full_name,
        "dct:description": product.purpose,
        "dcat:keyword": list(product.tags),
        "dcat:theme": {"@id": _domain(base, product.domain)},
        "dcat:contactPoint": _contact(product.owner),
        "dct:conformsTo": {"@id": f"urn:hanse:contract:{contract.id}:{contract.version}"},
        "dcat:landingPage": {"@id": base + page_of(product.full_name)},
    }


def _domain(base: str, name: str) -> str:
    return f"{base}/domains/{name}"


def _agent(team: Team) -> dict[str, Any]:
    return {
        "@type": "foaf:Agent",
        "foaf:name": team.name,
        **({"foaf:mbox": f"mailto:{team.email}"} if team.email else {}),
    }


def _contact(team: Team) -> dict[str, Any]:
    email = {"vcard:hasEmail": {"@id": f"mailto:{team.email}"}} if team.email else {}
    return {"@type": "vcard:Group", "vcard:fn": team.name, **email}
