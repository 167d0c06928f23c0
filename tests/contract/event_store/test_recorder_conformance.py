"""The recorder suite that ships with the `eventsourcing` library, run on Hanse's recorders."""

from __future__ import annotations

import tempfile
import threading
import uuid
from pathlib import Path

import pytest
from eventsourcing.postgres import PostgresApplicationRecorder
from eventsourcing.sqlite import SQLiteDatastore
from eventsourcing.tests import persistence as library

from hanse.adapters.eventsourcing_store import SQLiteRecorder
from hanse.adapters.postgres_store import PostgresEventStore


def wait_for_threads_but(known: set[threading.Thread]) -> None:
    """A test of the suite leaves its readers running; a store that is closed under them crashes."""
    for thread in set(threading.enumerate()) - known:
        thread.join(30)


class TestSQLiteRecorder(library.ApplicationRecorderTestCase):
    test_performance = None
    test_concurrent_throughput = None

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.database = Path(folder.name) / "recorder.db"

    def create_recorder(self) -> SQLiteRecorder:
        datastore = SQLiteDatastore(str(self.database), lock_timeout=30)
        self.addCleanup(datastore.close)
        self.addCleanup(wait_for_threads_but, set(threading.enumerate()))
        recorder = SQLiteRecorder(datastore)
        recorder.create_table()
        return recorder


@pytest.mark.postgres
class TestPostgresRecorder(library.ApplicationRecorderTestCase):
    """The recorder and the connection settings under the store's events on PostgreSQL."""

    test_performance = None
    test_concurrent_throughput = None

    @pytest.fixture(autouse=True)
    def server(self, postgres_address: str) -> None:
        self.address = postgres_address

    def setUp(self) -> None:
        self.schema = f"hanse_suite_{uuid.uuid4().hex[:12]}"
        self.store = PostgresEventStore(self.address, schema=self.schema)
        self.addCleanup(self.store.close)
        self.addCleanup(self.store.drop_schema)
        self.addCleanup(wait_for_threads_but, set(threading.enumerate()))

    def create_recorder(self) -> PostgresApplicationRecorder:
        datastore = self.store._datastore  # pyright: ignore[reportPrivateUsage]
        return PostgresApplicationRecorder(datastore, events_table_name="stored_events")
