"""The lead: every command in every state of its life."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from hanse.domain import Command, CommandRejected, Envelope, Event
from hanse.testing import given, rejected
from leads import commands as c
from leads import events as e
from leads.lead import Lead
from leads.published import integration, lead_won
from leads.values import ContactDetails

DAY = timedelta(days=1)
T = datetime(2026, 3, 1, 12, tzinfo=UTC)
CONTACT = ContactDetails("Ana", "ana@mail.example", "sao paulo", "SP")
CAPTURE = c.CaptureLead(lead_id="l1", captured_at=T, origin="social")
REACH = c.UpdateContactDetails(lead_id="l1", contact=CONTACT, updated_at=T + DAY)
FOLLOW_UP = c.SetFollowUp(lead_id="l1", follow_up_at=T + 3 * DAY, set_at=T + DAY)
QUALIFY = c.QualifyLead(lead_id="l1", qualified_at=T + DAY)
WIN = c.WinLead(lead_id="l1", party="seller", party_id="s1", segment="pet", won_at=T + 5 * DAY)
DISCARD = c.DiscardLead(lead_id="l1", discarded_at=T + 5 * DAY, reason="no answer")

CAPTURED = e.LeadCaptured(lead_id="l1", origin="social", landing_page=None, captured_at=T)
REACHED = e.ContactDetailsUpdated(lead_id="l1", contact=CONTACT, updated_at=T + DAY)
FOLLOWED = e.FollowUpSet(lead_id="l1", follow_up_at=T + 3 * DAY, set_at=T + DAY)
QUALIFIED = e.LeadQualified(lead_id="l1", qualified_at=T + DAY)
WON = e.LeadWon(lead_id="l1", party="seller", party_id="s1", segment="pet", won_at=T + 5 * DAY)
DISCARDED = e.LeadDiscarded(lead_id="l1", reason="no answer", discarded_at=T + 5 * DAY)

STATES: dict[str, list[Event]] = {
    "unknown": [],
    "captured": [CAPTURED],
    "reached": [CAPTURED, REACHED],
    "followed up": [CAPTURED, FOLLOWED],
    "qualified": [CAPTURED, QUALIFIED],
    "won": [CAPTURED, QUALIFIED, WON],
    "discarded": [CAPTURED, DISCARDED],
}
ENDED = {"unknown": "lead-known", "won": "lead-ended", "discarded": "lead-ended"}
ANSWERS: list[tuple[Command, dict[str, Any]]] = [
    # "" stands for every state that is not named
    (CAPTURE, {"unknown": CAPTURED, "": "lead-captured-once"}),
    (REACH, {**ENDED, "reached": "contact-unchanged", "": REACHED}),
    (FOLLOW_UP, {**ENDED, "": FOLLOWED}),
    (QUALIFY, {**ENDED, "qualified": "lead-qualified-once", "": QUALIFIED}),
    (WIN, {**ENDED, "qualified": WON, "": "win-unqualified"}),
    (DISCARD, {**ENDED, "": DISCARDED}),
]
TABLE = [
    (state, command, answers.get(state, answers.get(""))) for command, answers in ANSWERS for state in STATES
]


@pytest.mark.parametrize(
    ("state", "command", "answer"), TABLE, ids=[f"{type(c).__name__} when {s}" for s, c, _ in TABLE]
)
def test_every_command_in_every_state(state: str, command: Command, answer: Event | str) -> None:
    expected = rejected(answer) if isinstance(answer, str) else answer
    given(Lead, *STATES[state]).when(command).then(expected)


@pytest.mark.parametrize(
    ("command", "rule"),
    [
        (replace(QUALIFY, qualified_at=T - DAY), "lead-before-contact"),
        (replace(FOLLOW_UP, follow_up_at=T), "follow-up-ahead"),
        (replace(DISCARD, reason="bored"), "discard-reason-known"),
    ],
)
def test_what_makes_no_sense_is_rejected(command: Command, rule: str) -> None:
    given(Lead, CAPTURED).when(command).then(rejected(rule))


@pytest.mark.parametrize(
    ("command", "rule"),
    [
        (replace(WIN, party="friend"), "party-known"),
        (replace(WIN, party_id=""), "party-named"),
        (replace(WIN, won_at=T - DAY), "lead-before-contact"),
    ],
)
def test_a_win_is_of_a_known_kind(command: Command, rule: str) -> None:
    given(Lead, CAPTURED, QUALIFIED).when(command).then(rejected(rule))


def test_an_origin_that_nobody_knows_is_called_so() -> None:
    given(Lead).when(replace(CAPTURE, origin=None)).then(replace(CAPTURED, origin="unknown"))


def test_a_lead_that_ended_is_not_followed_up() -> None:
    assert given(Lead, CAPTURED, FOLLOWED, QUALIFIED, WON).state.follow_up_at is None


def test_the_person_stays_in_the_domain() -> None:
    assert e.ContactDetailsUpdated in integration.private
    lead = given(Lead, CAPTURED, REACHED, QUALIFIED, WON).state
    (published,) = lead_won(WON, lead, Envelope("id", T, "c", "c", "c"))
    assert published.value is not None
    assert (published.value["state"], published.value["days_to_win"]) == ("SP", 5)
    assert "ana" not in str(published).lower().replace("sao paulo", "")


def test_contact_details_name_a_place() -> None:
    with pytest.raises(CommandRejected, match="contact-city"):
        ContactDetails(None, None, " ", "SP")
    with pytest.raises(CommandRejected, match="state-code"):
        ContactDetails(None, None, "santos", "sp")
