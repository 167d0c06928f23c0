"""The marketing leads of the Olist files as commands, in the order of time.

All of them want to sell. A row of the leads file is a lead that was qualified at its first contact; a row of
the deals file wins one. The first contact is known by the day only.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from hanse.domain.demo import Timed
from hanse.domain.script import Script
from hanse.domain.tabular import moment, read_rows
from leads.commands import CaptureLead, QualifyLead, WinLead

LEADS = "olist_marketing_qualified_leads_dataset.csv"
DEALS = "olist_closed_deals_dataset.csv"


def olist(directory: Path) -> Iterator[Timed]:
    """The leads domain's commands from the Olist files in the folder, in the order of time.

    Rows that no command can be made of come as set aside. Raises ConfigError for a missing file or column.
    """
    script = Script("olist")
    _read_leads(directory, script)
    _read_deals(directory, script)
    yield from script


def _read_leads(directory: Path, script: Script) -> None:
    columns = ("mql_id", "first_contact_date", "landing_page_id", "origin")
    seen: set[str] = set()
    for read in read_rows(directory / LEADS, columns):
        values = read.values
        if read.problem is not None:
            script.set_aside(read.problem, read.row)
            continue
        try:
            at = datetime.strptime(values["first_contact_date"], "%Y-%m-%d").replace(tzinfo=UTC)
        except ValueError:
            script.set_aside("first_contact_date is not a day", read.row)
            continue
        lead = values["mql_id"]
        if lead in seen:
            script.set_aside("the lead's row comes a second time", read.row)
            continue
        seen.add(lead)
        capture = CaptureLead(
            lead_id=lead,
            captured_at=at,
            origin=values["origin"] or None,
            landing_page=values["landing_page_id"] or None,
        )
        script.put(at, 0, (read.row,), capture, f"lead/{lead}/capture")
        script.put(at, 1, (read.row,), QualifyLead(lead_id=lead, qualified_at=at), f"lead/{lead}/qualify")


def _read_deals(directory: Path, script: Script) -> None:
    for read in read_rows(directory / DEALS, ("mql_id", "seller_id", "won_date", "business_segment")):
        values = read.values
        if read.problem is not None:
            script.set_aside(read.problem, read.row)
            continue
        try:
            at = moment(values["won_date"])
        except ValueError:
            at = None
        if at is None:
            script.set_aside("won_date is not a time", read.row)
            continue
        win = WinLead(
            lead_id=values["mql_id"],
            party="seller",
            party_id=values["seller_id"],
            segment=values["business_segment"] or None,
            won_at=at,
        )
        script.put(at, 2, (read.row,), win, f"deal/{values['mql_id']}/{values['seller_id']}")
