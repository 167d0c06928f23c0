"""What the leads products must add up to: (name, SQL over the products, plain SQL over the input)."""

from __future__ import annotations

_LEADS = "input.olist_marketing_qualified_leads_dataset"
_WON = f"""(SELECT origin, won_date, first_contact_date,
    date_diff('day', CAST(first_contact_date AS DATE), CAST(CAST(won_date AS TIMESTAMP) AS DATE)) AS days
  FROM input.olist_closed_deals_dataset JOIN {_LEADS} USING (mql_id)
  WHERE CAST(won_date AS TIMESTAMP) >= CAST(first_contact_date AS TIMESTAMP))"""  # noqa: S608

_CAPTURED = "SELECT CAST(coalesce(sum(captured_count), 0) AS BIGINT) FROM leads.conversion_by_origin"
_WINS = "SELECT CAST(coalesce(sum(won_count), 0) AS BIGINT) FROM leads.conversion_by_origin"
_DAYS = "SELECT CAST(coalesce(sum(days_total), 0) AS BIGINT) FROM leads.days_to_win"

OLIST: list[tuple[str, str, str]] = [
    ("leads captured, added up over the origins", _CAPTURED, f"SELECT count(*) FROM {_LEADS}"),  # noqa: S608
    ("leads won, added up over the origins", _WINS, f"SELECT count(*) FROM {_WON}"),  # noqa: S608
    (
        "leads won by paid search",
        "SELECT coalesce(sum(won_count), 0) FROM leads.conversion_by_origin WHERE origin = 'paid_search'",
        f"SELECT count(*) FROM {_WON} WHERE origin = 'paid_search'",  # noqa: S608
    ),
    (
        "days from contact to deal",
        _DAYS,
        f"SELECT CAST(coalesce(sum(days), 0) AS BIGINT) FROM {_WON}",  # noqa: S608
    ),
]


def _accepted(kind: str) -> str:
    return f"SELECT count(*) FROM input.commands WHERE kind = '{kind}' AND accepted"  # noqa: S608


SIMULATED: list[tuple[str, str, str]] = [
    ("leads captured, added up over the origins", _CAPTURED, _accepted("CaptureLead")),
    ("leads won, added up over the origins", _WINS, _accepted("WinLead")),
]
