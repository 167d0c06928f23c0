"""OpenLineage events of product runs, to a file or to an HTTP endpoint, when `openlineage` is set.

Each run gives START and then COMPLETE or FAIL: the streams and products read, the table written with its
columns, its row count and the outcome of every check. A rejected publication is a FAIL: its readers stay where
they were. An event that cannot be delivered is a warning; it never stops a run.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hanse.errors import ConfigError
from hanse.model.mesh import Product

if TYPE_CHECKING:
    from openlineage.client.event_v2 import RunState
    from openlineage.client.transport import Transport

    from hanse.bootstrap import Mesh
    from hanse.quality.result import CheckResult
    from hanse.runtime.products import ProductRun

PRODUCER = "urn:hanse"
NAMESPACE = "hanse"
_LOG = logging.getLogger(__name__)
_TIMEOUT_S = 5.0
_UNDELIVERED = (OSError, ValueError, RuntimeError)


@contextmanager
def told(mesh: Mesh, product: Product, run: ProductRun) -> Generator[None]:
    """Tell of the run that goes on inside; does nothing when `openlineage` is not set."""
    target = mesh.settings.openlineage
    if not target:
        yield
        return
    teller = _Teller(mesh, product, _transport(target, mesh.settings.root))
    teller.tell("START", run)
    try:
        yield
    except Exception as error:
        teller.tell("FAIL", run, str(error))
        raise
    if run.rejected is not None:
        teller.tell("FAIL", run, str(run.rejected))
    else:
        teller.tell("COMPLETE", run)


def _transport(target: str, root: Path) -> Transport:
    from openlineage.client.transport.file import FileConfig, FileTransport
    from openlineage.client.transport.http import HttpConfig, HttpTransport

    if target.startswith(("http://", "https://")):
        return HttpTransport(HttpConfig(url=target, timeout=_TIMEOUT_S, retry={"total": 1}))
    if "://" in target:
        raise ConfigError(
            "openlineage is neither a file nor an address", expected="a path or http(s)://…", got=target
        )
    path = root / target
    path.parent.mkdir(parents=True, exist_ok=True)
    return FileTransport(FileConfig(log_file_path=str(path), append=True))


class _Teller:
    """The events of one run."""

    def __init__(self, mesh: Mesh, product: Product, transport: Transport) -> None:
        self._model = mesh.model
        self._product = product
        self._transport = transport
        self._id = str(uuid.uuid4())

    def tell(self, state: str, run: ProductRun, problem: str | None = None) -> None:
        """Send one event."""
        from openlineage.client.event_v2 import InputDataset, Job, Run, RunEvent, RunState
        from openlineage.client.facet_v2 import error_message_run

        facets: dict[str, Any] = {}
        if problem is not None:
            facets["errorMessage"] = error_message_run.ErrorMessageRunFacet(problem[:2_000], "Python")
        kind: RunState = RunState[state]
        event = RunEvent(
            eventTime=datetime.now(UTC).isoformat(),
            producer=PRODUCER,
            eventType=kind,
            run=Run(runId=self._id, facets=facets),
            job=Job(namespace=NAMESPACE, name=self._product.full_name),
            inputs=[InputDataset(namespace=NAMESPACE, name=name) for name in self._product.inputs],
            outputs=[self._output(run, final=state == "COMPLETE")],
        )
        try:
            self._transport.emit(event)
        except _UNDELIVERED as error:
            _LOG.warning("OpenLineage event of %s was not delivered: %s", self._product.full_name, error)

    def _output(self, run: ProductRun, *, final: bool) -> Any:
        from openlineage.client.event_v2 import OutputDataset
        from openlineage.client.facet_v2 import output_statistics_output_dataset, schema_dataset

        fields = [
            schema_dataset.SchemaDatasetFacetFields(c.name, c.physical_type, c.description)
            for c in self._product.contract.columns
        ]
        facets: dict[str, Any] = {"schema": schema_dataset.SchemaDatasetFacet(fields=fields)}
        written: dict[str, Any] = {}
        if final:
            statistics = output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet(
                rowCount=run.rows
            )
            written["outputStatistics"] = statistics
        if run.checks:
            facets["dataQualityAssertions"] = _assertions(run.checks)
        return OutputDataset(
            namespace=NAMESPACE, name=self._product.full_name, facets=facets, outputFacets=written
        )


def _assertions(checks: tuple[CheckResult, ...]) -> Any:
    from openlineage.client.facet_v2 import data_quality_assertions_dataset as quality

    return quality.DataQualityAssertionsDatasetFacet(
        assertions=[
            quality.Assertion(
                assertion=c.kind, success=c.passed, column=c.column, severity=c.severity, name=c.name,
                expected=c.expected, actual=c.got,
            )
            for c in checks
        ]
    )  # fmt: skip
