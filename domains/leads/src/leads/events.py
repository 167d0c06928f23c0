"""What happens to a lead. The stored names never change."""

from __future__ import annotations

from datetime import datetime

from hanse.domain import Event, event
from leads.values import ContactDetails


@event("LeadCaptured")
class LeadCaptured(Event):
    """Somebody got in touch for the first time."""

    lead_id: str
    origin: str
    landing_page: str | None
    captured_at: datetime


@event("ContactDetailsUpdated", subject="lead_id")
class ContactDetailsUpdated(Event):
    """The lead can be reached there. It stays in the domain."""

    lead_id: str
    contact: ContactDetails
    updated_at: datetime


@event("FollowUpSet")
class FollowUpSet(Event):
    """Somebody will get in touch again."""

    lead_id: str
    follow_up_at: datetime
    set_at: datetime


@event("LeadQualified")
class LeadQualified(Event):
    """The lead is worth the effort."""

    lead_id: str
    qualified_at: datetime


@event("LeadWon")
class LeadWon(Event):
    """The lead became a customer or a seller."""

    lead_id: str
    party: str
    party_id: str
    segment: str | None
    won_at: datetime


@event("LeadDiscarded")
class LeadDiscarded(Event):
    """The lead was given up."""

    lead_id: str
    reason: str
    discarded_at: datetime
