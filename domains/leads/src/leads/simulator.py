"""A simulated month of leads: they get in touch, are called back, are won or given up."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import datetime, timedelta

from hanse.domain import Command
from hanse.domain.demo import Timed, arrivals
from hanse.domain.plot import LeadPlot, lead_plots
from leads.commands import (
    CaptureLead,
    DiscardLead,
    QualifyLead,
    SetFollowUp,
    UpdateContactDetails,
    WinLead,
)
from leads.values import ContactDetails

_Step = tuple[datetime, Command, str]


def simulate(seed: int, days: int = 30) -> Iterator[Timed]:
    """The leads' commands in the order of arrival. The same seed gives the same stream.

    Each message counts as a row of the file `simulator/leads`.
    """
    draw = random.Random(f"{seed}/leads")  # noqa: S311
    lives = ((plot.captured_at, _life(plot)) for plot in lead_plots(seed, days))
    return arrivals(draw, "simulator/leads", lives, _delay)


def _delay(draw: random.Random) -> timedelta:
    return timedelta(seconds=draw.expovariate(1 / 20))


def _life(plot: LeadPlot) -> Iterator[_Step]:
    lead, at = plot.lead_id, plot.captured_at
    name = f"simulator/{lead}"
    yield at, CaptureLead(lead_id=lead, captured_at=at, origin=plot.origin), f"{name}/capture"
    person = plot.shopper
    if (at := plot.qualified_at) is not None:
        contact = ContactDetails(person.name, person.email, person.city, person.state)
        yield at, UpdateContactDetails(lead_id=lead, contact=contact, updated_at=at), f"{name}/contact"
        yield at + timedelta(minutes=5), QualifyLead(lead_id=lead, qualified_at=at), f"{name}/qualify"
        follow_up = at + timedelta(days=2)
        yield (
            at + timedelta(minutes=9),
            SetFollowUp(lead_id=lead, follow_up_at=follow_up, set_at=at),
            f"{name}/follow-up",
        )
    if (at := plot.won_at) is not None:
        win = WinLead(lead_id=lead, party="customer", party_id=person.customer_id, won_at=at)
        yield at, win, f"{name}/win"
    if (at := plot.discarded_at) is not None:
        reason = "no answer" if plot.qualified_at else "not qualified"
        yield at, DiscardLead(lead_id=lead, discarded_at=at, reason=reason), f"{name}/discard"
