"""A real Apache Kafka broker for a test session; `conftest.py` offers it as `kafka_address`."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from hanse.adapters.kafka import broker
from hanse.errors import ConfigError


def absent(reason: str) -> None:
    """Skip, saying why; on a build server fail instead."""
    if os.environ.get("CI", "").lower() in {"true", "1"}:
        pytest.fail(f"required here: {reason}")
    pytest.skip(reason)


def session_broker(folder: Path) -> Iterator[str]:
    """Start a broker, give its address (`kafka://…`), stop it.

    HANSE_TEST_KAFKA names one that runs already, for quick repetitions.
    """
    running = os.environ.get("HANSE_TEST_KAFKA")
    if running:
        yield running
        return
    try:
        broker.java()
        broker.jars()
    except ConfigError as error:
        absent(str(error))
    with broker.temporary(folder) as started:
        yield started.address
    shutil.rmtree(folder, ignore_errors=True)
