"""The recorder suite that ships with the `eventsourcing` library, run on Hanse's recorder."""

from __future__ import annotations

import tempfile
from pathlib import Path

from eventsourcing.sqlite import SQLiteDatastore
from eventsourcing.tests import persistence as library

from hanse.adapters.eventsourcing_store import SQLiteRecorder


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
        recorder = SQLiteRecorder(datastore)
        recorder.create_table()
        return recorder
