"""The published language of the leads domain. Who a lead is as a person never leaves it."""

from __future__ import annotations

from collections.abc import Iterator

from hanse.domain import Envelope, Integration, Publish
from leads import events as e
from leads.lead import Lead

integration = Integration(private=(e.ContactDetailsUpdated,))


@integration.publishes(e.LeadCaptured)
def lead_captured(event: e.LeadCaptured, _: Lead, __: Envelope) -> Iterator[Publish]:
    """The first contact."""
    yield Publish(
        "lead_captured",
        {
            "lead_id": event.lead_id,
            "origin": event.origin,
            "landing_page": event.landing_page,
            "captured_at": event.captured_at,
        },
    )


@integration.publishes(e.LeadWon)
def lead_won(event: e.LeadWon, lead: Lead, _: Envelope) -> Iterator[Publish]:
    """Who the lead became, where they live, and how long it took."""
    assert lead.captured_at is not None
    yield Publish(
        "lead_won",
        {
            "lead_id": event.lead_id,
            "origin": lead.origin,
            "party": event.party,
            "party_id": event.party_id,
            "segment": event.segment,
            "city": lead.contact.city if lead.contact else None,
            "state": lead.contact.state if lead.contact else None,
            "captured_at": lead.captured_at,
            "won_at": event.won_at,
            "days_to_win": (event.won_at.date() - lead.captured_at.date()).days,
        },
    )


@integration.publishes(e.LeadDiscarded)
def lead_discarded(event: e.LeadDiscarded, lead: Lead, _: Envelope) -> Iterator[Publish]:
    """Why the lead was given up."""
    yield Publish(
        "lead_discarded",
        {
            "lead_id": event.lead_id,
            "origin": lead.origin,
            "reason": event.reason,
            "discarded_at": event.discarded_at,
        },
    )


@integration.publishes(e.LeadCaptured, e.FollowUpSet, e.LeadQualified, e.LeadWon, e.LeadDiscarded)
def lead_state(_: object, lead: Lead, envelope: Envelope) -> Iterator[Publish]:
    """The whole lead as it is now."""
    yield Publish(
        "leads",
        {
            "lead_id": lead.lead_id,
            "origin": lead.origin,
            "status": lead.status,
            "party": lead.party,
            "party_id": lead.party_id,
            "captured_at": lead.captured_at,
            "qualified_at": lead.qualified_at,
            "follow_up_at": lead.follow_up_at,
            "ended_at": lead.ended_at,
            "version": lead.version,
            "updated_at": envelope.time,
        },
    )
