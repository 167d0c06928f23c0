"""Fixtures for every part of the suite."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from helpers.kafka_broker import session_broker
from helpers.postgres_server import session_postgres


@pytest.fixture(scope="session")
def kafka_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """`kafka://…` of a real broker that lives as long as the session."""
    yield from session_broker(tmp_path_factory.mktemp("kafka"))


@pytest.fixture(scope="session")
def postgres_address() -> Iterator[str]:
    """`postgresql://…` of a real server that lives as long as the session."""
    yield from session_postgres()
