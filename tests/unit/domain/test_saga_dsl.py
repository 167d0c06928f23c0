"""Sagas and projections by given, when, then: each way a process can go, without a log or a store."""

from __future__ import annotations

from datetime import timedelta

import pytest

from hanse.domain import Backoff, Saga, Send, Step, When
from hanse.errors import ConfigError
from hanse.testing import accepted, fact, given, rejected
from helpers.saga_world import SELL, THANK

PLACED = fact("sales.sale_placed", sale_id="s1")
PAID = fact("sales.sale_paid", sale_id="s1")
RESERVED = fact("stock.reserved", sale_id="s1")


def to(domain: str, name: str) -> Send:
    return Send(domain, name, {"sale_id": "s1"})


def test_a_saga_goes_forward() -> None:
    (
        given(SELL)
        .when(PLACED)
        .then(to("stock", "Reserve"), status="running")
        .when(accepted())
        .then()
        .when(RESERVED)
        .then()
        .when(PAID)
        .then(to("stock", "Ship"))
        .when(accepted())
        .then(status="completed")
        .when(fact("sales.sale_cancelled", sale_id="s1"))
        .then(status="completed")
    )


@pytest.mark.parametrize(
    "order", [(PAID, RESERVED, PLACED), (RESERVED, PLACED, PAID), (PLACED, PAID, RESERVED)]
)
def test_records_may_come_in_any_order(order: tuple[object, ...]) -> None:
    given(SELL, *order[:-1]).when(order[-1]).then(to("stock", "Ship"))  # pyright: ignore[reportArgumentType]


def test_a_deadline_turns_back_and_undoes_what_may_have_happened() -> None:
    (
        given(SELL, PLACED)
        .when(timedelta(minutes=16))
        .then(to("stock", "Release"), status="compensating")
        .when(rejected("nothing-reserved"))
        .then(status="compensated")
    )


def test_an_aborting_record_undoes_in_reverse() -> None:
    (
        given(SELL, PLACED, RESERVED, PAID)
        .when(fact("sales.sale_cancelled", sale_id="s1"))
        .then(to("sales", "Refund"), status="compensating")
        .when(accepted())
        .then(to("stock", "Release"))
        .when(rejected("held"))
        .then()
        .when(timedelta(seconds=6))
        .then(to("stock", "Release"))
        .when(accepted())
        .then(status="compensated")
    )


def test_a_way_back_that_stays_shut_is_stuck() -> None:
    saga = given(SELL, PLACED, RESERVED, fact("sales.sale_cancelled", sale_id="s1"))
    for _ in range(4):
        saga = saga.when(rejected("held")).then().when(timedelta(hours=1)).then(to("stock", "Release"))
    saga.when(rejected("held")).then(status="stuck")


def test_code_that_fails_leaves_the_saga_stuck_and_says_why() -> None:
    odd = When("sales.sale_placed", by="sale_id").then(
        lambda seen: Send("x", "Y", {"n": seen["nothing"]}), name="odd"
    )
    saga = given(odd.__class__(name="odd", starts=When("t", by="k"), steps=odd.steps))
    saga.when(fact("t", k=1)).then(status="stuck")
    assert "sales.sale_placed" in saga.process.reason


def test_only_named_rules_are_tried_again() -> None:
    step = Step(
        name="a", command=lambda seen: to("d", "C"), retry=Backoff(2, timedelta(seconds=1), 2.0, ("busy",))
    )
    saga = Saga(name="s", starts=When("t", by="k"), steps=(step,))
    begun = fact("t", k="1")
    given(saga, begun).when(rejected("no")).then(status="compensated")
    (
        given(saga, begun)
        .when(rejected("busy"))
        .then(status="running")
        .when(timedelta(seconds=2))
        .then(to("d", "C"))
        .when(rejected("busy"))
        .then(status="compensated")
    )


def test_an_automation_sends_once_for_each_record() -> None:
    shipped = fact("stock.shipped", sale_id="s1")
    given(THANK).when(shipped).then(to("sales", "Thank")).when(accepted()).then(status="completed")


def test_a_saga_that_could_never_end_is_refused() -> None:
    with pytest.raises(ConfigError, match="sends nothing and waits for nothing"):
        Saga(name="s", starts=When("t"), steps=(Step(name="a"),))
    with pytest.raises(ConfigError, match="different names"):
        Saga(name="s", starts=When("t"), steps=(Step(name="a", done=When("t")),) * 2)


def test_a_projection_by_its_stream() -> None:
    program = "CREATE TABLE o (state STRING); SELECT state, COUNT(*) AS n FROM o GROUP BY state"
    given(program, o=[["open"], ["open"], ["paid"]]).then(("paid", 1), ("open", 2))
    given(program, o=[["open"]]).when(o=[["open"]]).then(("open", 2))
    with pytest.raises(AssertionError, match="expected"):
        given(program, o=[["open"]]).then(("open", 2))
