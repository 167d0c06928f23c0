"""What can be asked of a lead."""

from __future__ import annotations

from datetime import datetime

from hanse.domain import Command, command
from leads.values import ContactDetails


@command
class CaptureLead(Command):
    """Record the first contact. `origin` is the channel, None when nobody knows."""

    lead_id: str
    captured_at: datetime
    origin: str | None = None
    landing_page: str | None = None


@command
class UpdateContactDetails(Command):
    """Record how the lead can be reached."""

    lead_id: str
    contact: ContactDetails
    updated_at: datetime


@command
class SetFollowUp(Command):
    """Get in touch again on that day."""

    lead_id: str
    follow_up_at: datetime
    set_at: datetime


@command
class QualifyLead(Command):
    """Record that the lead is worth the effort."""

    lead_id: str
    qualified_at: datetime


@command
class WinLead(Command):
    """Record that the lead became a customer or a seller, known there by `party_id`."""

    lead_id: str
    party: str
    party_id: str
    won_at: datetime
    segment: str | None = None


@command
class DiscardLead(Command):
    """Give the lead up."""

    lead_id: str
    discarded_at: datetime
    reason: str
