"""The lead: from the first contact to the end of the funnel."""

from __future__ import annotations

from datetime import datetime

from hanse.domain import Aggregate, applies, decides, require
from leads import commands as c
from leads import events as e
from leads.values import PARTIES, ContactDetails

UNKNOWN = "unknown"
DISCARD_REASONS = ("no answer", "no interest", "not qualified")


class Lead(Aggregate, name="lead", identity="lead_id"):
    """One person or company who may buy or sell with us. It ends once: won or discarded."""

    def __init__(self) -> None:
        super().__init__()
        self.lead_id = ""
        self.origin = UNKNOWN
        self.landing_page: str | None = None
        self.contact: ContactDetails | None = None
        self.status = "unknown"
        self.party: str | None = None
        self.party_id: str | None = None
        self.captured_at: datetime | None = None
        self.qualified_at: datetime | None = None
        self.follow_up_at: datetime | None = None
        self.ended_at: datetime | None = None

    @decides(c.CaptureLead)
    def capture(self, command: c.CaptureLead) -> list[e.LeadCaptured]:
        """A first contact is the first."""
        require(self.version == 0, "lead-captured-once", "the lead was captured before")
        return [
            e.LeadCaptured(
                lead_id=command.lead_id,
                origin=command.origin or UNKNOWN,
                landing_page=command.landing_page,
                captured_at=command.captured_at,
            )
        ]

    @decides(c.UpdateContactDetails)
    def update_contact_details(self, command: c.UpdateContactDetails) -> list[e.ContactDetailsUpdated]:
        """An update says something new."""
        self._require_open(command.updated_at)
        require(command.contact != self.contact, "contact-unchanged", "the lead is reached there already")
        return [
            e.ContactDetailsUpdated(
                lead_id=self.lead_id, contact=command.contact, updated_at=command.updated_at
            )
        ]

    @decides(c.SetFollowUp)
    def set_follow_up(self, command: c.SetFollowUp) -> list[e.FollowUpSet]:
        """A follow-up lies ahead."""
        self._require_open(command.set_at)
        require(command.follow_up_at > command.set_at, "follow-up-ahead", "a follow-up lies after it is set")
        return [e.FollowUpSet(lead_id=self.lead_id, follow_up_at=command.follow_up_at, set_at=command.set_at)]

    @decides(c.QualifyLead)
    def qualify(self, command: c.QualifyLead) -> list[e.LeadQualified]:
        """A lead is qualified once."""
        self._require_open(command.qualified_at)
        require(self.qualified_at is None, "lead-qualified-once", "the lead was qualified before")
        return [e.LeadQualified(lead_id=self.lead_id, qualified_at=command.qualified_at)]

    @decides(c.WinLead)
    def win(self, command: c.WinLead) -> list[e.LeadWon]:
        """A qualified lead is won, as a customer or a seller."""
        self._require_open(command.won_at)
        require(self.qualified_at is not None, "win-unqualified", "a lead is qualified before it is won")
        require(command.party in PARTIES, "party-known", f"a lead becomes one of {', '.join(PARTIES)}")
        require(bool(command.party_id), "party-named", "who the lead became has an id")
        return [
            e.LeadWon(
                lead_id=self.lead_id,
                party=command.party,
                party_id=command.party_id,
                segment=command.segment,
                won_at=command.won_at,
            )
        ]

    @decides(c.DiscardLead)
    def discard(self, command: c.DiscardLead) -> list[e.LeadDiscarded]:
        """An open lead is given up for a known reason."""
        self._require_open(command.discarded_at)
        require(
            command.reason in DISCARD_REASONS,
            "discard-reason-known",
            f"a reason is one of {', '.join(DISCARD_REASONS)}",
        )
        return [
            e.LeadDiscarded(lead_id=self.lead_id, reason=command.reason, discarded_at=command.discarded_at)
        ]

    @applies(e.LeadCaptured)
    def _captured(self, event: e.LeadCaptured) -> None:
        self.lead_id, self.origin, self.landing_page = event.lead_id, event.origin, event.landing_page
        self.captured_at = event.captured_at
        self.status = "captured"

    @applies(e.ContactDetailsUpdated)
    def _contact_details_updated(self, event: e.ContactDetailsUpdated) -> None:
        self.contact = event.contact

    @applies(e.FollowUpSet)
    def _follow_up_set(self, event: e.FollowUpSet) -> None:
        self.follow_up_at = event.follow_up_at

    @applies(e.LeadQualified)
    def _qualified(self, event: e.LeadQualified) -> None:
        self.status, self.qualified_at = "qualified", event.qualified_at

    @applies(e.LeadWon)
    def _won(self, event: e.LeadWon) -> None:
        self.status, self.ended_at, self.follow_up_at = "won", event.won_at, None
        self.party, self.party_id = event.party, event.party_id

    @applies(e.LeadDiscarded)
    def _discarded(self, event: e.LeadDiscarded) -> None:
        self.status, self.ended_at, self.follow_up_at = "discarded", event.discarded_at, None

    def _require_open(self, at: datetime) -> None:
        require(self.version > 0, "lead-known", "no lead with that id was captured")
        require(self.ended_at is None, "lead-ended", f"the lead is {self.status}")
        require(
            self.captured_at is not None and at >= self.captured_at,
            "lead-before-contact",
            "nothing happens to a lead before the first contact",
        )
