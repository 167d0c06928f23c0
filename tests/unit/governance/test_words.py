"""Names as policies read them."""

from __future__ import annotations

import time

import pytest

from hanse_governance.column_types import comparable, widens
from hanse_governance.graph import cycles
from hanse_governance.words import event_verb, imperative, personal_reason, personal_value, singular, words


@pytest.mark.parametrize(
    "name",
    [
        "order_placed",
        "OrderPlaced",
        "parcel_sent",
        "payment_made",
        "parcel_sent_back",
        "order_placed_v2",
        "contact_details_updated",
        "follow_up_set",
        "email_read",
    ],
)
def test_past_tense(name: str) -> None:
    assert event_verb(name) is not None


@pytest.mark.parametrize("name", ["order_placement", "place_order", "news_feed", "red", "up", "orders", ""])
def test_not_past_tense(name: str) -> None:
    assert event_verb(name) is None


def test_commands() -> None:
    assert imperative("place_order")
    assert imperative("SendEmail")
    assert not imperative("order_placed")
    assert not imperative("orders")
    assert not imperative("order")


@pytest.mark.parametrize(
    "name",
    [
        "email",
        "customerEmail",
        "mail_address",
        "phone_number",
        "vorname",
        "Straße",
        "prénom",
        "data_de_nascimento",
        "codice_fiscale",
        "PESEL",
        "ip_address",
        "birthDate",
    ],
)
def test_personal_names(name: str) -> None:
    assert personal_reason(name) is not None


@pytest.mark.parametrize(
    "name",
    ["order_id", "email_id", "email_verified", "phone_count", "product_name", "state", "city", "category"],
)
def test_harmless_names(name: str) -> None:
    assert personal_reason(name) is None


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("anna@example.org", "an e-mail address"),
        ("+49 30 1234567", "a telephone number"),
        ("DE89 3704 0044 0532 0130 00", "an IBAN"),
        ("123.456.789-09", "a CPF"),
        ("4111 1111 1111 1111", "a payment card number"),
        ("4111 1111 1111 1112", None),
        ("delivered", None),
        (12, None),
    ],
)
def test_personal_values(value: object, kind: str | None) -> None:
    assert personal_value(value) == kind


@pytest.mark.parametrize("value", ["a" * 199 + "@", "+1" + "-" * 190, "DE12" + " A" * 90, "a@" + "b." * 95])
def test_no_sample_takes_long(value: str) -> None:
    started = time.perf_counter()
    personal_value(value)
    assert time.perf_counter() - started < 0.2


def test_words_and_singulars() -> None:
    assert words("HTTPRequestSent") == ("http", "request", "sent")
    assert [singular(w) for w in ("orders", "boxes", "deliveries", "status", "address")] == [
        "order",
        "box",
        "delivery",
        "status",
        "address",
    ]


def test_types_widen_only_without_loss() -> None:
    assert widens("INTEGER", "BIGINT")
    assert widens("DECIMAL(10,2)", "DECIMAL(18,4)")
    assert not widens("DECIMAL(10,2)", "DECIMAL(10,4)")
    assert not widens("BIGINT", "INTEGER")
    assert not widens("VARCHAR", "BIGINT")
    assert comparable("DECIMAL(18,2)", "DECIMAL(38,2)")
    assert not comparable("DECIMAL(18,1)", "DECIMAL(18,2)")
    assert not comparable("BIGINT", "VARCHAR")


def test_cycles_are_the_shortest_of_each_knot() -> None:
    graph = {"a": ["b"], "b": ["c", "a"], "c": ["a"], "d": ["d"], "e": ["a"]}
    assert cycles(graph) == [["a", "b"], ["d"]]
    assert cycles({str(i): [str(i + 1)] for i in range(5_000)}) == []
