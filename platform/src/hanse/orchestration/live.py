"""What live products publish, told to Dagster: materialisations and check results without a run."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg

from hanse.bootstrap import Mesh
from hanse.orchestration.assets import key_of, metadata_of, results_of
from hanse.quality.plan import names
from hanse.runtime import ProductRun

EVERY_SECONDS = 10.0
"""A product's publications within so many seconds are one event, of the last of them."""


@contextmanager
def reporting(mesh: Mesh, home: Path) -> Generator[Callable[[ProductRun], None]]:
    """A function to be told of each publication, by any thread; the last of each is reported on leaving."""
    os.environ.setdefault("DAGSTER_HOME", str(home))
    with dg.DagsterInstance.get() as instance:
        reporter = _Reporter(mesh, instance)
        try:
            yield reporter.tell
        finally:
            reporter.flush()


class _Reporter:
    def __init__(self, mesh: Mesh, instance: dg.DagsterInstance) -> None:
        self._mesh = mesh
        self._instance = instance
        self._lock = threading.Lock()
        self._waiting: dict[str, ProductRun] = {}
        self._told: dict[str, float] = {}

    def tell(self, run: ProductRun) -> None:
        """Report the publication, now or with the next ones."""
        with self._lock:
            before = self._waiting.get(run.product)
            if before is not None:
                run.records += before.records
            self._waiting[run.product] = run
            if time.monotonic() - self._told.get(run.product, -EVERY_SECONDS) >= EVERY_SECONDS:
                self._report(self._waiting.pop(run.product))

    def flush(self) -> None:
        """Report what waits."""
        with self._lock:
            for run in self._waiting.values():
                self._report(run)
            self._waiting.clear()

    def _report(self, run: ProductRun) -> None:
        self._told[run.product] = time.monotonic()
        key = key_of(run.product)
        if run.rejected is None:
            event = dg.AssetMaterialization(key, metadata=metadata_of(run))
            self._instance.report_runless_asset_event(event)
        product = self._mesh.model.product(run.product)
        for result in results_of(run, names(product.contract)) if product else ():
            evaluation = dg.AssetCheckEvaluation(
                asset_key=key,
                check_name=str(result.check_name),
                passed=result.passed,
                metadata=result.metadata,
                severity=result.severity,
                description=result.description,
            )
            self._instance.report_runless_asset_event(evaluation)
