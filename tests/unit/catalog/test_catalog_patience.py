"""A log that does not answer costs readers a moment, once, and never a page."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from hanse.errors import ConfigError, LogError
from hanse_catalog.health import UNKNOWN_LAG, assess
from hanse_catalog.patience import Patience
from helpers.catalog_mesh import SampleMesh


def test_answers_and_errors_pass() -> None:
    patience = Patience(5.0)
    assert patience.ask(lambda: 7) == 7

    def refuses() -> int:
        raise LogError("the broker is away")

    def wrong() -> int:
        raise ConfigError("no such setting")

    assert patience.ask(refuses) is None
    with pytest.raises(ConfigError):
        patience.ask(wrong)
    assert patience.ask(lambda: 8) == 8


def test_who_comes_while_an_answer_is_owed_does_not_wait() -> None:
    patience, free = Patience(0.05), threading.Event()
    assert patience.ask(free.wait) is None
    began = time.monotonic()
    assert patience.ask(lambda: 1) is None
    assert time.monotonic() - began < 0.05
    free.set()
    deadline = time.monotonic() + 5
    while patience.ask(lambda: 2) != 2:
        assert time.monotonic() < deadline


def test_the_product_stays_usable_and_says_that_the_log_is_silent(tmp_path: Path) -> None:
    mesh = SampleMesh(tmp_path)
    product = next(p for p in mesh.products() if p.full_name == "orders.orders")
    health = assess(product, mesh.history("orders.orders"), None)
    assert (health.freshness.state, health.freshness.detail) == ("unknown", UNKNOWN_LAG)
    assert health.published is not None
