"""Requests for access: a reader asks, somebody who may approve decides, the grant ends by itself."""

from __future__ import annotations

import sqlite3
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from hanse.errors import HanseError
from hanse.model.mesh import Product

from .access import Reader
from .database import opened, utc
from .problems import Conflict, Forbidden, NotFound

MAX_DAYS = 366
MAX_REASON = 1_000
State = Literal["pending", "approved", "denied"]


@dataclass(frozen=True, slots=True)
class Request:
    """A request and what became of it. Times are UTC; `until` is when an approved grant ends."""

    id: int
    reader: str
    product: str
    reason: str
    days: int
    state: State
    asked_at: datetime
    decided_by: str | None
    decided_at: datetime | None
    note: str
    until: datetime | None

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "id": self.id,
            "reader": self.reader,
            "product": self.product,
            "reason": self.reason,
            "days": self.days,
            "state": self.state,
            "asked_at": self.asked_at.isoformat(),
            "decided_by": self.decided_by,
            "decided_at": self.decided_at and self.decided_at.isoformat(),
            "note": self.note,
            "until": self.until and self.until.isoformat(),
        }


class Requests:
    """The requests in the catalog's database."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def ask(self, reader: Reader, product: Product, reason: str, days: int) -> Request:
        """Ask for a product's rows. Asking again while it waits gives the same request.

        Raises Forbidden for a reader without a token, Conflict when the rows can be read already.
        """
        if not reader.known:
            raise Forbidden("say who you are first", fix="sign in, or send an access token")
        if reader.may_query(product):
            raise Conflict(f"you may query {product.full_name} already")
        if not reason.strip() or len(reason) > MAX_REASON:
            raise HanseError("a request needs a reason", expected=f"1 to {MAX_REASON} characters")
        if not 1 <= days <= MAX_DAYS:
            raise HanseError("access is given for a time", expected=f"1 to {MAX_DAYS} days", got=str(days))
        asked = (reader.name, product.full_name)
        with opened(self.path, write=True) as con:
            waiting = con.execute(
                "SELECT id FROM request WHERE reader = ? AND product = ? AND state = 'pending'", asked
            ).fetchone()
            number = (
                waiting[0]
                if waiting
                else con.execute(
                    "INSERT INTO request (reader, product, reason, days, state, asked_at)"
                    " VALUES (?, ?, ?, ?, 'pending', ?) RETURNING id",
                    (*asked, reason.strip(), days, time.time()),
                ).fetchall()[0][0]
            )
        return self.find(number)

    def decide(self, number: int, by: Reader, *, approve: bool, note: str = "") -> Request:
        """Approve or deny a waiting request; an approval gives the grant.

        Raises NotFound, Forbidden for who may not approve or asked it, Conflict when it is decided.
        """
        request = self.find(number)
        if not by.may("approve", request.product) or by.name == request.reader:
            raise Forbidden(
                f"you may not decide on {request.product}",
                expected=f"a token with approve:{request.product}, and another person's request",
            )
        now = time.time()
        with opened(self.path, write=True) as con:
            changed = con.execute(
                "UPDATE request SET state = ?, decided_by = ?, decided_at = ?, note = ?, until = ?"
                " WHERE id = ? AND state = 'pending'",
                (
                    "approved" if approve else "denied",
                    by.name,
                    now,
                    note[:MAX_REASON],
                    now + request.days * 86_400 if approve else None,
                    number,
                ),
            ).rowcount
        decided = self.find(number)
        if not changed:
            raise Conflict(f"request {number} is decided already", got=decided.state)
        return decided

    def find(self, number: int) -> Request:
        """One request. Raises NotFound."""
        found = self._select("WHERE id = ?", number)
        if not found:
            raise NotFound(f"there is no request {number}")
        return found[0]

    def visible(self, reader: Reader) -> list[Request]:
        """The reader's own requests and those that the reader may decide on, newest first."""
        return [
            r
            for r in self._select("ORDER BY id DESC LIMIT 1000")
            if r.reader == reader.name or reader.may("approve", r.product)
        ]

    def all(self) -> list[Request]:
        """Every request, newest first."""
        return self._select("ORDER BY id DESC")

    def _select(self, rest: str, *values: Any) -> list[Request]:
        if not self.path.exists():
            return []
        with opened(self.path) as con:
            rows = con.execute(f"SELECT {_COLUMNS} FROM request {rest}", values).fetchall()  # noqa: S608
        return [_request(row) for row in rows]


_COLUMNS = "id, reader, product, reason, days, state, asked_at, decided_by, decided_at, note, until"


def _request(row: tuple[Any, ...]) -> Request:
    number, reader, product, reason, days, state, asked, by, decided, note, until = row
    return Request(
        number, reader, product, reason, days, state, utc(asked), by, decided and utc(decided), note or "",
        until and utc(until),
    )  # fmt: skip


def live_grants(con: sqlite3.Connection, name: str) -> list[str]:
    """Products that this person was given and whose time has not ended."""
    rows = con.execute(
        "SELECT product FROM request WHERE reader = ? AND state = 'approved' AND until > ?",
        (name, time.time()),
    ).fetchall()
    return [product for (product,) in rows]
