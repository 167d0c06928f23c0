"""The mesh as policies see it: descriptors, schemas, plans, places, the base version, the rules."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hanse.errors import SchemaError
from hanse.model.mesh import Domain, MeshModel, Product, Topic
from hanse.ports.event_log import TopicSpec
from hanse_governance.federation import Federation
from hanse_governance.finding import Location
from hanse_governance.plans import Plan
from hanse_governance.policy import Policy
from hanse_governance.positions import Locator, Step

if TYPE_CHECKING:
    from hanse.schemas import Finding as SchemaFinding
    from hanse.schemas import ParsedSchema
    from hanse_governance.model_tables import ModelTables

_MAX_SCHEMA_BYTES = 2_000_000


@dataclass(frozen=True, slots=True)
class Problem:
    """A file of the mesh that cannot be used, and why; `code` is the policy that reports it."""

    code: str
    at: Location
    subject: str
    what: str
    fix: str


@dataclass(frozen=True)
class SchemaFile:
    """The schema of a topic: its text and, when it is Avro that parses as JSON, its document."""

    topic: Topic
    text: str
    document: dict[str, Any] | None
    problem: str | None = None

    @property
    def kind(self) -> str:
        """AVRO, JSON or PROTOBUF, by the file's ending."""
        return {".json": "JSON", ".proto": "PROTOBUF"}.get(self.topic.schema_path.suffix, "AVRO")

    @cached_property
    def fields(self) -> list[dict[str, Any]]:
        """The top-level fields of an Avro record that have a name; empty for other kinds."""
        raw: Any = (self.document or {}).get("fields") if self.kind == "AVRO" else None
        fields: list[Any] = raw if isinstance(raw, list) else []
        return [f for f in fields if isinstance(f, dict) and isinstance(f.get("name"), str)]


@dataclass(frozen=True, slots=True)
class Edge:
    """A product reads a topic or another product."""

    source: str
    product: Product

    @property
    def source_domain(self) -> str:
        """Whose the source is."""
        return self.source.split(".", 1)[0]


class MeshView:
    """One mesh at one moment. `base` is the same mesh at the git ref to compare with.

    `in_log` are the topics that the log has, by name, where the check was asked to look.
    """

    def __init__(
        self,
        model: MeshModel,
        problems: tuple[Problem, ...],
        *,
        federation: Federation,
        plan: Callable[[Product], Plan],
        base: MeshView | None = None,
        in_log: Mapping[str, TopicSpec] | None = None,
    ) -> None:
        self.model = model
        self.problems = problems
        self.federation = federation
        self.base = base
        self.in_log = in_log or {}
        self.locator = Locator(model.root)
        self._plan = plan
        self._schemas_parsed: dict[str, ParsedSchema | str] = {}
        self.topics: dict[str, Topic] = {t.full_name: t for d in model.domains for t in d.topics}
        self.products: dict[str, Product] = {p.full_name: p for p in model.products}
        self.domains: dict[str, Domain] = {d.name: d for d in model.domains}

    def plan(self, product: Product) -> Plan:
        """What the planner says of the product's projection."""
        return self._plan(product)

    def parameter(self, policy: Policy, name: str, domain: str | None = None) -> int:
        """A policy's parameter as the federation, or the domain, has set it."""
        return self.federation.parameter(policy, name, domain)

    def known(self, full_name: str) -> bool:
        """Whether a topic or a product has that full name."""
        return full_name in self.topics or full_name in self.products

    @cached_property
    def schemas(self) -> dict[str, SchemaFile]:
        """The schema of each topic whose file is there, by the topic's full name."""
        files = ((name, _read_schema(topic)) for name, topic in self.topics.items())
        return {name: found for name, found in files if found is not None}

    @cached_property
    def edges(self) -> tuple[Edge, ...]:
        """Who reads what: the declared inputs and the tables that the SQL really reads."""
        return tuple(
            Edge(source, product)
            for product in self.model.products
            for source in sorted({*product.inputs, *self.reads(product)})
        )

    @cached_property
    def readers(self) -> dict[str, tuple[Product, ...]]:
        """Products that read each topic or product directly."""
        found: defaultdict[str, list[Product]] = defaultdict(list)
        for edge in self.edges:
            found[edge.source].append(edge.product)
        return {name: tuple(products) for name, products in found.items()}

    def reads(self, product: Product) -> tuple[str, ...]:
        """Full names that the projection reads, resolved against the mesh."""
        return tuple(self.resolve(product.domain, name) for name in self.plan(product).tables)

    def resolve(self, domain: str, table: str) -> str:
        """A table's full name: unqualified names belong to the product's own domain."""
        return table if "." in table else f"{domain}.{table}"

    def access(self, full_name: str) -> str:
        """`private`, `protected` or `public`; unknown names are public."""
        found = self.topics.get(full_name) or self.products.get(full_name)
        return found.access if found else "public"

    def crossing(self) -> Iterator[Edge]:
        """Edges whose product is in another domain than its source."""
        return (edge for edge in self.edges if edge.source_domain != edge.product.domain)

    def schema_problem(self, name: str) -> str | None:
        """Why a topic's schema is none, in one line; None when it is fine."""
        parsed = self._parsed(name)
        return parsed if isinstance(parsed, str) else None

    def incompatibilities(self, name: str, mode: str) -> list[SchemaFinding]:
        """What differs from the base's schema in that compatibility mode; empty when one does not parse."""
        from hanse.schemas import check

        new = self._parsed(name)
        old = self.base._parsed(name) if self.base is not None else "no base"
        return [] if isinstance(new, str) or isinstance(old, str) else check(new, [(None, old)], mode)

    def _parsed(self, name: str) -> ParsedSchema | str:
        if name not in self._schemas_parsed:
            self._schemas_parsed[name] = _parse(self.schemas[name])
        return self._schemas_parsed[name]

    @cached_property
    def tables(self) -> ModelTables:
        """The model as SQL tables."""
        from hanse_governance.model_tables import ModelTables

        return ModelTables(self)

    # Places

    def in_domain(self, domain: Domain, *steps: Step) -> Location:
        """A place in `domain.yaml`."""
        return self.locator.at(domain.directory / "domain.yaml", *steps)

    def in_topic(self, topic: Topic, *steps: Step) -> Location:
        """A place in the topic's declaration."""
        return self.in_domain(self.domains[topic.domain], "topics", topic.name, *steps)

    def in_schema(self, topic: Topic, *steps: Step) -> Location:
        """A place in the topic's schema file."""
        return self.locator.at(topic.schema_path, *steps)

    def in_product(self, product: Product, *steps: Step) -> Location:
        """A place in `product.yaml`."""
        return self.locator.at(product.directory / "product.yaml", *steps)

    def in_contract(self, product: Product, *steps: Step) -> Location:
        """A place in the contract."""
        return self.locator.at(product.contract.path, *steps)

    def in_column(self, product: Product, column: str, *steps: Step) -> Location:
        """The place of a column in the contract."""
        return self.in_contract(product, "schema", 0, "properties", ("name", column), *steps)

    def in_sql(self, product: Product, line: int = 1, column: int = 1) -> Location:
        """A place in the projection."""
        return Location(self.locator.relative(product.sql_path), max(line, 1), max(column, 1))


def _parse(schema: SchemaFile) -> ParsedSchema | str:
    """The parsed schema, or what is wrong with it in one line."""
    from hanse.schemas import parse

    if schema.problem:
        return schema.problem
    try:
        return parse(schema.kind, schema.text, strict=True)
    except SchemaError as error:
        return " ".join(str(error).split())


def _read_schema(topic: Topic) -> SchemaFile | None:
    path: Path = topic.schema_path
    try:
        if path.stat().st_size > _MAX_SCHEMA_BYTES:
            return SchemaFile(topic, "", None, f"the file is larger than {_MAX_SCHEMA_BYTES} bytes")
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        return SchemaFile(topic, "", None, f"the file cannot be read: {error}")
    if path.suffix == ".proto":
        return SchemaFile(topic, text, None)
    try:
        document: Any = json.loads(text)
    except (ValueError, RecursionError) as error:
        return SchemaFile(topic, text, None, f"the file is not JSON: {error}")
    if not isinstance(document, dict):
        return SchemaFile(topic, text, None, "the schema is not a JSON object")
    return SchemaFile(topic, text, document)
