"""The projector: reads a product's inputs batch by batch into its state, each batch one transaction.

State, offsets and relay positions commit together, so whatever dies when, each record counts once. While one
batch executes in DuckDB, the next is read and decoded in a second thread. Products come before topics.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from hanse.descriptors.contract import custom
from hanse.errors import ConfigError, HistoryLost, LogError, ProjectionError, UnknownTopic, UnsupportedSQL
from hanse.model.mesh import MeshModel, Product, Topic
from hanse.ports.event_log import EventLog, TopicInfo
from hanse.ports.schema_registry import SchemaRegistry
from hanse.projection.batch import Preparer, Ready
from hanse.projection.dead_letters import dead_letter_topic, letters_of, send
from hanse.projection.dedup import Positions
from hanse.projection.external import topic_decoder
from hanse.projection.failpoints import reach
from hanse.projection.pace import MOST, Pace
from hanse.projection.place import Place
from hanse.projection.products_read import ProductsRead, Step
from hanse.projection.program import (
    compose_program,
    input_topics,
    metadata_columns,
    read_sql,
    relocated,
    topic_schema,
)

if TYPE_CHECKING:
    from hanse.engine import Engine
    from hanse.publish.reader import Reader

THRESHOLD = "deadLetterThreshold"
"""The contract's custom property: how many records may be set aside before the product stops."""
IDLE_READS = 60
Progress = Callable[[int, int], None]
Offsets = dict[str, dict[int, int]]


@dataclass(frozen=True, slots=True)
class Lag:
    """Records between the product and the end of its topics, by topic and partition."""

    partitions: Offsets

    @property
    def records(self) -> int:
        """All of them. Gaps in offsets count too, so it may be more than will be read."""
        return sum(sum(found.values()) for found in self.partitions.values())


@dataclass(slots=True)
class RunReport:
    """What a run did. `records` were read: applied, dropped as repeats, or set aside (`poison`).

    `offsets` is where it stands now; `oldest` and `newest` are log times (UTC) of what was applied.
    """

    records: int = 0
    applied: int = 0
    duplicates_dropped: int = 0
    poison: int = 0
    batches: int = 0
    seconds: float = 0.0
    offsets: Offsets = field(default_factory=Offsets)
    oldest: datetime | None = None
    newest: datetime | None = None


@dataclass(slots=True)
class _Input:
    """One topic while a run reads it; `head` is where the run ends."""

    topic: Topic
    info: TopicInfo
    preparer: Preparer
    offsets: dict[int, int]
    head: dict[int, int]
    positions: Positions
    reached: int = -(1 << 62)

    @property
    def left(self) -> int:
        """Offsets up to the head."""
        return sum(max(0, high - self.offsets.get(p, 0)) for p, high in self.head.items())


@dataclass(frozen=True, slots=True)
class _Batch:
    source: _Input
    rows: pa.Table
    ready: Ready
    offsets: dict[int, int]


class Projector:
    """Keeps the state of one product. `con` is the one open connection to it, owned by the lease's holder.

    Raises ConfigError for descriptors, schemas or a state of another program, UnsupportedSQL at its place in
    the product's projection.sql. `registry` is one for all topics, or tells a topic's. `partial_history`
    accepts topics whose first records are gone; `beside`: another state of the product lives on;
        `batch_seconds`: how long a batch should take (see `Pace`).
    """

    def __init__(
        self,
        product: Product,
        model: MeshModel,
        log: EventLog,
        registry: SchemaRegistry | Callable[[Topic], SchemaRegistry],
        con: duckdb.DuckDBPyConnection,
        *,
        reader: Reader,
        beside: bool = False,
        batch_seconds: float | None = None,
        partial_history: bool = False,
    ) -> None:
        self.product = product
        self.batch_seconds = batch_seconds
        self.products = ProductsRead(product, model, reader, beside=beside)
        self.log = log
        self.con = con
        self.partial_history = partial_history
        self.program = compose_program(product, model)
        self.place = Place(con)
        self._text = self.place.check(product.full_name, self._built_by)
        metadata = metadata_columns(read_sql(product))
        registry_of = registry if callable(registry) else _everywhere(registry)
        self.topics = input_topics(product, model)
        self._preparers = {
            t.full_name: Preparer(
                t, topic_decoder(t, found := registry_of(t), topic_schema(t)[0]), metadata, found
            )
            for t in self.topics
        }
        self.threshold = _threshold(product)
        self._engine: Engine | None = None
        self._engine = self.engine
        self.place.claim(self._built_by)

    @property
    def _built_by(self) -> tuple[str, str, str]:
        return self.program.text, self.product.emission, self.product.late

    @property
    def engine(self) -> Engine:
        """The engine on the state, made anew after a failed transaction."""
        if self._engine is None:
            from hanse.engine import Engine

            try:
                self._engine = Engine(
                    self.con, self._text, emission=self.product.emission, late=self.product.late, defer=True
                )
            except UnsupportedSQL as error:
                raise relocated(error, self.program, self.product) from error
        return self._engine

    def run_to_head(
        self,
        progress: Progress | None = None,
        *,
        max_batch: int = MOST,
        until: Callable[[], bool] | None = None,
    ) -> RunReport:
        """Apply everything up to the ends that the inputs have now, or until `until()` holds after a batch.

        `progress(done, total)` is called after each batch with records read. Raises HistoryLost when a topic
        was made again or records to read are gone, ProjectionError when more records had to be set aside than
        the contract allows. What was applied before stays applied.
        """
        started = time.perf_counter()
        inputs = [i for t in self.topics if (i := self._open(t)) is not None]
        total = sum(i.left for i in inputs)
        report = RunReport()
        for source in self.products.sources:
            self._follow(source, report)
        with ThreadPoolExecutor(max_workers=1, thread_name_prefix="hanse-reader") as reader:
            pace = Pace(self.batch_seconds, max_batch)
            ahead = reader.submit(self._next, inputs, pace.size)
            while (batch := ahead.result()) is not None:
                ahead = reader.submit(self._next, inputs, pace.size)
                begun = time.perf_counter()
                self._apply(batch, report)
                pace.took(batch.rows.num_rows, time.perf_counter() - begun)
                if progress is not None:
                    progress(report.records, total)
                if until is not None and until():
                    break
        self.catch_up()
        report.offsets = self.place_of_inputs()
        report.seconds = time.perf_counter() - started
        return report

    def catch_up(self) -> None:
        """Recompute, in a transaction of its own, what batches left to be recomputed once for all of them."""
        if self.engine.behind:
            with self._transaction(None):
                self.engine.refresh()

    def start_at(self, moment: datetime) -> None:
        """Let a new state begin with the events of that time; rows of state and products come whole."""
        for topic in self.topics:
            if topic.kind != "events":
                continue
            with suppress(UnknownTopic):  # nothing was ever produced to it
                info = self.log.topic(topic.log_name)
                offsets = self.log.offsets_at(topic.log_name, round(moment.timestamp() * 1000))
                self.place.move(topic.full_name, info.topic_id, offsets)

    def place_of_inputs(self) -> Offsets:
        """The next offsets of the topics; of each product that is read, the publication that is applied."""
        found = {t.full_name: self.place.offsets(t.full_name)[1] for t in self.topics}
        for source in self.products.sources:
            stand = self.place.stand(source.full_name)
            found[source.full_name] = {0: stand.seq} if stand else {}
        return found

    def lag(self) -> Lag:
        """How far the product is behind its inputs. Raises HistoryLost as `run_to_head` does."""
        inputs = [i for t in self.topics if (i := self._open(t)) is not None]
        missing = {
            i.topic.full_name: {p: max(0, h - i.offsets.get(p, 0)) for p, h in i.head.items()} for i in inputs
        }
        for source in self.products.sources:
            stand = self.place.stand(source.full_name)
            missing[source.full_name] = {0: self.products.behind(source, stand)}
        return Lag(missing)

    def _follow(self, source: Product, report: RunReport) -> None:
        """Apply what changed in a product, in one transaction with the place."""
        step = self.products.step(source, self.place.stand(source.full_name))
        if step is None:
            return
        rows = 0
        reach("before-execute")
        with self._transaction(step):
            for table, kinds in step.batches():
                self.engine.feed(source.full_name, table, kinds)
                rows += table.num_rows
            self.place.step(source.full_name, step.to)
            reach("after-execute")
            reach("before-commit")
        reach("after-commit")
        self.products.arrived(source, step.to)
        report.batches += 1
        report.records += rows
        report.applied += rows

    def _open(self, topic: Topic) -> _Input | None:
        """The topic where the product stands; None when nothing was ever produced to it."""
        name = topic.log_name
        known, stored = self.place.offsets(topic.full_name)
        partial = self.partial_history or (topic.external is not None and topic.external.partial)
        try:
            info = self.log.topic(name)
        except UnknownTopic as error:
            if known is None:
                return None
            raise self._lost(name, "the topic is gone", f"topic id {known}", "no such topic") from error
        if known is not None and known != info.topic_id:
            raise self._lost(name, "the topic was deleted and made again", known, info.topic_id)
        ranges = self.log.ranges(name)
        offsets: dict[int, int] = {}
        for partition, there in ranges.items():
            at = stored.get(partition)
            if at is None:
                at = there.low
                if there.low > 0 and info.spec.cleanup == "delete" and not partial:
                    what = f"the first records of partition {partition} are gone"
                    raise self._lost(name, what, "offset 0", f"offset {there.low}")
            if not there.low <= at <= there.high:
                what = f"records of partition {partition} that are still to be read are gone"
                raise self._lost(name, what, f"offset {at}", f"offsets {there.low} to {there.high}")
            offsets[partition] = at
        if missing := stored.keys() - ranges.keys():
            raise self._lost(name, "the topic has fewer partitions", f"partition {min(missing)}", "none")
        head = {p: r.high for p, r in ranges.items()}
        positions = self.place.positions(topic.full_name)
        return _Input(topic, info, self._preparers[topic.full_name], offsets, head, positions)

    def _lost(self, topic: str, what: str, expected: str, got: str) -> HistoryLost:
        product = self.product.full_name
        return HistoryLost(
            what,
            where=f"topic {topic}, read by {product}",
            expected=expected,
            got=got,
            fix=f"restore the topic or its archive, or build anew: hanse product rebuild {product}",
        )

    def _next(self, inputs: list[_Input], max_batch: int) -> _Batch | None:
        """The next batch of the topic that is furthest behind in log time. Runs in the reader's thread."""
        waiting = [i for i in inputs if i.left]
        if not waiting:
            return None
        source = min(waiting, key=lambda i: i.reached)
        name = source.topic.log_name
        for _ in range(IDLE_READS):
            fetched = self.log.read(
                name,
                source.offsets,
                max_records=max_batch,
                timeout_ms=1_000,
                topic_id=source.info.topic_id,
            )
            moved = {**source.offsets, **fetched.next_offsets}
            if moved != source.offsets:
                break
        else:
            raise LogError(
                "the log gives nothing before its end", where=f"topic {name}", got=str(source.offsets)
            )
        source.offsets = moved
        rows = fetched.rows
        if rows.num_rows:
            source.reached = rows.column("timestamp")[-1].value
        ready = source.preparer.prepare(rows, source.positions)
        source.positions.update(ready.positions)
        return _Batch(source, rows, ready, dict(moved))

    def _apply(self, batch: _Batch, report: RunReport) -> None:
        """One transaction."""
        source, ready = batch.source, batch.ready
        name = source.topic.full_name
        if ready.poison:
            self._set_aside(batch)
        engine = self.engine
        reach("before-execute")
        with self._transaction(batch):
            if ready.table.num_rows:
                engine.feed(name, ready.table, ready.kinds)
            self.place.move(name, source.info.topic_id, batch.offsets)
            self.place.advance(name, ready.positions)
            if ready.poison:
                self.place.add_poison(name, len(ready.poison))
            reach("after-execute")
            reach("before-commit")
        reach("after-commit")
        _count(report, batch)

    @contextmanager
    def _transaction(self, batch: _Batch | Step | None) -> Generator[None]:
        self.con.execute("BEGIN TRANSACTION")
        try:
            yield
            self.con.execute("COMMIT")
        except BaseException as error:
            self._engine = None
            with suppress(duckdb.TransactionException):  # a COMMIT that failed has rolled back
                self.con.execute("ROLLBACK")
            if isinstance(error, duckdb.Error):
                raise self._failed(batch, error) from error
            raise

    def _failed(self, batch: _Batch | Step | None, error: duckdb.Error) -> ProjectionError:
        """What DuckDB could not compute, such as a sum that overflows, and the records it was about.

        Or what it could not do at all: the disk is full, the memory is used up.
        """
        product = self.product
        fix = "correct the expression in the projection, then `hanse product rebuild` it"
        if isinstance(error, duckdb.OperationalError):
            fix = "free the disk or the memory that is short, then run it again; nothing of the batch was applied"
        if isinstance(batch, Step):
            source, places = batch.source.full_name, f"publication {batch.to.seq}"
        elif batch is None:
            source, places = "rows that are kept", "recomputed after the batches of a run"
        else:
            ends = ", ".join(f"{p} up to {offset}" for p, offset in sorted(batch.offsets.items()))
            source, places = batch.source.topic.full_name, f"partitions and offsets {ends}"
        return ProjectionError(
            f"the projection {product.full_name} fails on a batch of {source}",
            where=f"{product.sql_path}; {places}",
            got=str(error).strip()[:2_000],
            fix=fix,
        )

    def _set_aside(self, batch: _Batch) -> None:
        poison = batch.ready.poison
        name = batch.source.topic.log_name
        before = self.place.poison()
        if self.threshold is not None and before + len(poison) > self.threshold:
            first = poison[0]
            row = batch.rows.slice(first.row, 1).to_pylist()[0]
            raise ProjectionError(
                f"more records of {name} cannot be read than the contract of {self.product.full_name} allows",
                where=f"topic {name}, partition {row['partition']}, offset {row['offset']}",
                expected=f"at most {self.threshold} set aside ({THRESHOLD})",
                got=f"{before + len(poison)}; the first of this batch: {first.reason}",
                fix=f"mend the producer, or raise the threshold; set aside so far: {dead_letter_topic(name)}",
            )
        info = batch.source.info
        send(self.log, name, letters_of(batch.rows, poison, name, info.topic_id, self.product.full_name))


def _everywhere(registry: SchemaRegistry) -> Callable[[Topic], SchemaRegistry]:
    return lambda topic: registry  # noqa: ARG005


def _count(report: RunReport, batch: _Batch) -> None:
    ready = batch.ready
    report.batches += 1
    report.records += batch.rows.num_rows
    report.applied += ready.table.num_rows
    report.duplicates_dropped += ready.repeated
    report.poison += len(ready.poison)
    if batch.rows.num_rows:
        found: Any = pc.call_function("min_max", [batch.rows.column("timestamp")])
        low, high = found["min"].as_py(), found["max"].as_py()
        report.oldest = low if report.oldest is None else min(report.oldest, low)
        report.newest = high if report.newest is None else max(report.newest, high)


def _threshold(product: Product) -> int | None:
    value = custom(product.contract.document, THRESHOLD)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ConfigError(
            f"the custom property {THRESHOLD} is no number of records",
            where=str(product.contract.path),
            expected="a whole number, 0 to stop at the first",
            got=repr(value),
        )
    return value
