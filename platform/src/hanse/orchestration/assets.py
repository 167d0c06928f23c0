"""Descriptors become assets: one a product, one blocking check a contract rule.

An asset's run is the same `run_product` that the command line calls, so Dagster adds order,
schedules and memory of what happened, and nothing to what a product is.
"""

import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import dagster as dg

from hanse.bootstrap import Mesh
from hanse.errors import ConfigError
from hanse.model.mesh import Domain, MeshModel, Product, Topic
from hanse.runtime import ProductRun, check_names, lag, preview, run_product
from hanse.settings import find_root

LAG_INTERVAL_SECONDS = 30
LIVE = "HANSE_LIVE"
"""Set where another process keeps the products live: Dagster shows what it reports and starts no runs itself."""

_AUTOMATION = dg.AutomationCondition.eager() & dg.AutomationCondition.all_deps_blocking_checks_passed()


def definitions(file: str) -> dg.Definitions:
    """Everything Dagster needs of the domain in whose folder `file` lies. Raises ConfigError."""
    root = find_root(Path(file).parent)
    with Mesh.open(root) as mesh:
        model = mesh.model
    domain = _domain_of(Path(file).resolve(), model)
    products = [p for p in model.products if p.domain == domain.name and p.lifecycle != "retired"]
    assets = [_asset(product, root) for product in products]
    topics = [_topic_spec(topic) for topic in domain.topics]
    return dg.Definitions(
        assets=[*topics, *assets],
        jobs=[dg.define_asset_job(f"publish_{domain.name}", selection=assets)] if assets else [],
        sensors=[_lag_sensor(domain, products, root), _automation(domain, assets)] if assets else [],
    )


def _domain_of(file: Path, model: MeshModel) -> Domain:
    for domain in model.domains:
        if file.is_relative_to(domain.directory.resolve()):
            return domain
    raise ConfigError(
        "no domain lies around this file", where=str(file), expected="domains/<domain>/domain.yaml"
    )


def key_of(full_name: str) -> dg.AssetKey:
    """The asset of a topic or product."""
    return dg.AssetKey(full_name.split("."))


def _topic_spec(topic: Topic) -> dg.AssetSpec:
    text = f"Topic {topic.full_name}, keyed by {', '.join(topic.key)}; {topic.kind}."
    return dg.AssetSpec(key_of(topic.full_name), description=text, group_name=topic.domain, kinds={"kafka"})


def _freshness(product: Product) -> dg.FreshnessPolicy | None:
    promised = product.contract.freshness_ms
    return dg.FreshnessPolicy.time_window(fail_window=timedelta(milliseconds=promised)) if promised else None


def _asset(product: Product, root: Path) -> dg.AssetsDefinition:
    key = key_of(product.full_name)
    names = check_names(product.contract)

    @dg.asset(
        key=key,
        deps=[key_of(name) for name in product.inputs],
        description=product.purpose,
        group_name=product.domain,
        kinds={"duckdb", "iceberg"},
        tags=dict.fromkeys(product.tags, ""),
        owners=[product.owner.email] if product.owner.email else [],
        freshness_policy=_freshness(product),
        automation_condition=None if LIVE in os.environ else _AUTOMATION,
        check_specs=[dg.AssetCheckSpec(name, asset=key, blocking=True) for name in names],
        output_required=False,
    )
    def publish(
        context: dg.AssetExecutionContext,
    ) -> Iterator[dg.MaterializeResult[Any] | dg.AssetCheckResult]:
        yield from _publish(context, product, root, names)

    return publish


def _publish(
    context: dg.AssetExecutionContext, product: Product, root: Path, names: tuple[str, ...]
) -> Iterator[dg.MaterializeResult[Any] | dg.AssetCheckResult]:
    with Mesh.open(root) as mesh:
        run = run_product(mesh, product.full_name, progress=context.log.info)
        metadata = metadata_of(run, preview(mesh, product.full_name))
        if not run.rejected:
            yield dg.MaterializeResult(metadata=metadata)
        yield from results_of(run, names)
        if run.rejected:
            raise dg.Failure(str(run.rejected), metadata=metadata, allow_retries=False)


def metadata_of(run: ProductRun, shown: str = "") -> dict[str, dg.MetadataValue]:
    """What Dagster shows beside a materialisation; `shown` are some rows in Markdown."""
    found: dict[str, dg.MetadataValue] = {
        "dagster/row_count": dg.MetadataValue.int(run.rows),
        "records read": dg.MetadataValue.int(run.records),
        "records set aside": dg.MetadataValue.int(run.poison),
        "lag": dg.MetadataValue.int(run.lag),
        "offsets": dg.MetadataValue.json(run.offsets),
        "snapshot": dg.MetadataValue.text(str(run.snapshot_id)),
        "checks": dg.MetadataValue.text(f"{sum(c.passed for c in run.checks)} of {len(run.checks)} passed"),
    }
    return found | ({"preview": dg.MetadataValue.md(shown)} if shown else {})


def results_of(run: ProductRun, names: tuple[str, ...]) -> Iterator[dg.AssetCheckResult]:
    """A result for each of the contract's checks."""
    results = {check.name: check for check in run.checks}
    for name in names:
        check = results.get(name)
        if check is None:
            text = (
                "nothing new to check; the last verdict stands"
                if run.snapshot_id
                else "nothing published yet"
            )
            yield dg.AssetCheckResult(check_name=name, passed=True, description=text)
            continue
        severe = check.severity == "error"
        yield dg.AssetCheckResult(
            check_name=name,
            passed=check.passed,
            severity=dg.AssetCheckSeverity.ERROR if severe else dg.AssetCheckSeverity.WARN,
            metadata={"expected": check.expected, "got": check.got},
        )


def _automation(domain: Domain, assets: list[dg.AssetsDefinition]) -> dg.AutomationConditionSensorDefinition:
    return dg.AutomationConditionSensorDefinition(
        f"{domain.name}_automation",
        target=dg.AssetSelection.assets(*assets),
        default_status=dg.DefaultSensorStatus.RUNNING,
    )


def _lag_sensor(domain: Domain, products: list[Product], root: Path) -> dg.SensorDefinition:
    """Requests a run of each product whose topics hold records that it has not published."""

    @dg.sensor(
        name=f"{domain.name}_lag",
        target=dg.AssetSelection.groups(domain.name),
        minimum_interval_seconds=LAG_INTERVAL_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
    )
    def behind() -> Iterator[dg.RunRequest | dg.SkipReason]:
        if LIVE in os.environ:
            yield dg.SkipReason("the products are live: their process publishes what comes")
            return
        with Mesh.open(root) as mesh:
            found = {p.full_name: lag(mesh, p.full_name) for p in products}
        waiting = {name: position for name, position in found.items() if position.records}
        if not waiting:
            yield dg.SkipReason("every product has published its streams' heads")
        for name, position in waiting.items():
            yield dg.RunRequest(run_key=f"{name}@{position.head}", asset_selection=[key_of(name)])

    return behind
