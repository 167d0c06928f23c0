"""Sagas over a real log and real stores: forward, back, stuck, late, repeated, and with a service down."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from helpers.saga_world import Pay, Place, World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    yield world
    world.close()


def test_a_saga_goes_from_record_to_command_to_its_end(world: World) -> None:
    world.do(Place(sale_id="s1"))
    world.settle()
    assert world.status("s1") == ("running", "payment")
    world.do(Pay(sale_id="s1"))
    world.settle()
    assert world.status("s1") == ("completed", "ship")
    assert world.did("s1") == (("Place", "Pay", "Thank"), ("Reserve", "Ship"))


def test_a_record_that_comes_early_is_kept_until_it_is_wanted(world: World) -> None:
    world.do(Place(sale_id="s1"), Pay(sale_id="s1"))
    world.settle()
    assert world.status("s1") == ("completed", "ship")
