"""Access tokens: who somebody is and what they may do. Kept as hashes in an SQLite file."""

from __future__ import annotations

import hashlib
import json
import secrets
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from hanse.errors import ConfigError

from .access import Reader, check_grant
from .database import opened, utc
from .requests import live_grants

PREFIX = "hanse_"
MAX_DAYS = 366


@dataclass(frozen=True, slots=True)
class Token:
    """A token as it is kept: never its text. Times are UTC."""

    id: str
    name: str
    grants: tuple[str, ...]
    created_at: datetime
    expires_at: datetime
    revoked: bool

    @property
    def state(self) -> str:
        """active, expired or revoked."""
        if self.revoked:
            return "revoked"
        return "active" if self.expires_at > datetime.now(UTC) else "expired"


class Tokens:
    """The tokens in the catalog's database. The file is made when the first token is."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def issue(self, name: str, grants: list[str], days: int) -> tuple[str, Token]:
        """A new token: its text, shown only now, and what is kept of it. Raises ConfigError."""
        if not name.strip() or len(name) > 100:
            raise ConfigError("a token needs a name", expected="1 to 100 characters, saying who uses it")
        if not 1 <= days <= MAX_DAYS:
            raise ConfigError("a token expires", expected=f"in 1 to {MAX_DAYS} days", got=str(days))
        grants = [check_grant(grant) for grant in grants]
        text = PREFIX + secrets.token_urlsafe(32)
        now = time.time()
        row = (secrets.token_hex(4), name.strip(), _digest(text), json.dumps(sorted(set(grants))), now)
        with opened(self.path, write=True) as con:
            con.execute("INSERT INTO token VALUES (?, ?, ?, ?, ?, ?, NULL)", (*row, now + days * 86_400))
        return text, next(token for token in self.list() if token.id == row[0])

    def list(self) -> list[Token]:
        """All tokens, oldest first."""
        if not self.path.exists():
            return []
        with opened(self.path) as con:
            rows = con.execute(
                "SELECT id, name, grants, created_at, expires_at, revoked_at FROM token ORDER BY created_at"
            ).fetchall()
        return [
            Token(i, name, tuple(json.loads(g)), utc(created), utc(expires), revoked is not None)
            for i, name, g, created, expires, revoked in rows
        ]

    def revoke(self, token_id: str) -> None:
        """End a token at once. Raises ConfigError when there is none of that id."""
        with opened(self.path, write=True) as con:
            changed = con.execute(
                "UPDATE token SET revoked_at = ? WHERE id = ?", (time.time(), token_id)
            ).rowcount
        if not changed:
            raise ConfigError(f"there is no token {token_id}", fix="see `hanse token list`")

    def reader(self, text: str) -> Reader | None:
        """Who holds the token; None when it is unknown, expired or revoked."""
        if not text.startswith(PREFIX) or len(text) > 200 or not self.path.exists():
            return None
        with opened(self.path) as con:
            row = con.execute(
                "SELECT name, grants FROM token WHERE digest = ? AND revoked_at IS NULL AND expires_at > ?",
                (_digest(text), time.time()),
            ).fetchall()
            if not row:
                return None
            [(name, grants)] = row
            return Reader(name, frozenset(json.loads(grants) + live_grants(con, name)), known=True)


def _digest(text: str) -> str:
    # the text has 256 random bits, so a plain hash cannot be guessed back
    return hashlib.sha256(text.encode()).hexdigest()
