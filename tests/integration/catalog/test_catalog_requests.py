"""A reader asks for access, an owner approves, the grant ends by itself; and signing in with a token."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from hanse_catalog import requests as requests_module
from hanse_catalog.app import create_app
from hanse_catalog.audit import Audit
from hanse_catalog.sql.pool import PoolSettings
from hanse_catalog.tokens import Tokens
from helpers.catalog_mesh import SampleMesh

PROTECTED, PRIVATE, PUBLIC = "orders.margins", "orders.salaries", "orders.orders"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("requests")


@pytest.fixture(scope="module")
def tokens(folder: Path) -> Tokens:
    return Tokens(folder / "catalog.db")


@pytest.fixture(scope="module")
def client(folder: Path, tokens: Tokens) -> Iterator[TestClient]:
    app = create_app(
        SampleMesh(folder / "mesh"),
        settings=PoolSettings(size=1),
        tokens=tokens,
        audit=Audit(folder / "audit.db"),
    )
    with TestClient(app, follow_redirects=False) as client:
        yield client


def header(tokens: Tokens, name: str, *grants: str) -> dict[str, str]:
    return {"authorization": f"Bearer {tokens.issue(name, list(grants), 1)[0]}"}


def rows(client: TestClient, who: dict[str, str], product: str = PROTECTED) -> int:
    return client.get("/api/query", params={"sql": f"SELECT * FROM {product}"}, headers=who).status_code


def ask(
    client: TestClient, who: dict[str, str], product: str = PROTECTED, **more: object
) -> tuple[int, dict[str, Any]]:
    answer = client.post(
        "/api/access-requests", json={"product": product, "reason": "why", **more}, headers=who
    )
    return answer.status_code, answer.json()


def decide(client: TestClient, who: dict[str, str], number: int, *, approve: bool = True) -> int:
    body = {"approve": approve, "note": "fine"}
    return client.post(f"/api/access-requests/{number}/decision", json=body, headers=who).status_code


def test_access_is_asked_for_given_and_ends(
    client: TestClient, tokens: Tokens, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann, owner = header(tokens, "Ann"), header(tokens, "Owner", "approve:orders.*")
    assert rows(client, ann) == 404
    status, request = ask(client, ann, days=30)
    assert (status, request["state"], request["reader"]) == (201, "pending", "Ann")
    assert ask(client, ann)[1]["id"] == request["id"], "asking twice is asking once"
    assert rows(client, ann) == 404
    assert decide(client, owner, request["id"]) == 200
    assert rows(client, ann) == 200
    assert decide(client, owner, request["id"], approve=False) == 409
    now = requests_module.time.time()
    monkeypatch.setattr(requests_module.time, "time", lambda: now + 29 * 86_400)
    with requests_module.opened(tokens.path) as con:
        assert requests_module.live_grants(con, "Ann") == [PROTECTED]
        monkeypatch.setattr(requests_module.time, "time", lambda: now + 31 * 86_400)
        assert requests_module.live_grants(con, "Ann") == []


def test_who_may_decide(client: TestClient, tokens: Tokens) -> None:
    bob = header(tokens, "Bob", "approve:orders.*")
    number = ask(client, bob)[1]["id"]
    for name, grants, expected in (
        ("Bob", ("approve:orders.*",), 403),  # nobody decides on their own
        ("Cat", (), 403),
        ("Dan", ("orders.*",), 403),  # may query, not approve
        ("Eve", ("approve:customers.*",), 403),
        ("Fay", ("admin:*",), 200),
    ):
        assert decide(client, header(tokens, name, *grants), number) == expected, name
    assert decide(client, header(tokens, "Fay", "admin:*"), 999_999) == 404


def test_what_cannot_be_asked(client: TestClient, tokens: Tokens) -> None:
    gus = header(tokens, "Gus")
    assert ask(client, {})[0] == 403, "who is nobody says first who they are"
    assert ask(client, gus, PUBLIC)[0] == 409
    assert ask(client, gus, PRIVATE)[0] == 404, "a private product is not there for who may not see it"
    assert ask(client, gus, "orders.nothing")[0] == 404
    wrong: dict[str, Any]
    for wrong in ({"days": 0}, {"days": 400}, {"reason": ""}, {"reason": "x" * 2_000}, {"more": 1}):
        assert ask(client, gus, **wrong)[0] == 422, wrong


def test_one_sees_ones_own_and_what_one_decides(client: TestClient, tokens: Tokens) -> None:
    hal, ian = header(tokens, "Hal"), header(tokens, "Ian")
    ask(client, hal)
    seen = client.get("/api/access-requests", headers=hal).json()["requests"]
    assert {r["reader"] for r in seen} == {"Hal"}
    assert client.get("/api/access-requests", headers=ian).json()["total"] == 0
    assert client.get("/api/access-requests").json()["total"] == 0
    owner = header(tokens, "Owner", "approve:orders.*")
    assert "Hal" in {
        r["reader"] for r in client.get("/api/access-requests", headers=owner).json()["requests"]
    }


def test_the_way_through_the_pages(client: TestClient, tokens: Tokens) -> None:
    kim, _ = tokens.issue("Kim", [], 1)
    owner, _ = tokens.issue("Owner", ["approve:orders.*"], 1)
    page = f"/products/{PROTECTED.replace('.', '/')}"
    assert "Sign in" in client.get(page).text
    wrong = client.post("/sign-in", data={"token": "hanse_wrong"})
    assert wrong.status_code == 401 and "set-cookie" not in wrong.headers

    signed = client.post("/sign-in", data={"token": kim, "next": page})
    assert (signed.status_code, signed.headers["location"]) == (303, page)
    cookie = signed.headers["set-cookie"].lower()
    assert "httponly" in cookie and "samesite=strict" in cookie
    assert "Request access" in client.get(page).text
    assert client.post(f"{page}/request", data={"reason": "<b>months</b>", "days": "30"}).status_code == 303
    assert "pending" in client.get("/access").text

    client.post("/sign-in", data={"token": owner})
    listed = client.get("/access").text
    assert "&lt;b&gt;months&lt;/b&gt;" in listed and "<b>months" not in listed
    number = next(r for r in requests_module.Requests(tokens.path).all() if r.reader == "Kim").id
    assert client.post(f"/access/{number}", data={"decision": "approve"}).status_code == 303
    client.post("/sign-in", data={"token": kim})
    assert rows(client, {}) == 200, "the cookie says who asks"
    client.post("/sign-out")
    client.cookies.clear()
    assert rows(client, {}) == 404


@pytest.mark.parametrize(
    "away", ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:x", "/a\r\nb"]
)
def test_signing_in_never_leads_to_another_site(client: TestClient, tokens: Tokens, away: str) -> None:
    text, _ = tokens.issue("Lou", [], 1)
    answer = client.post("/sign-in", data={"token": text, "next": away})
    assert answer.headers["location"] == "/"
    client.cookies.clear()


def test_another_site_cannot_post_for_a_signed_in_reader(client: TestClient, tokens: Tokens) -> None:
    text, _ = tokens.issue("Mia", [], 1)
    page = f"/products/{PROTECTED.replace('.', '/')}/request"
    answer = client.post(
        page,
        data={"reason": "x", "days": "30"},
        headers={"sec-fetch-site": "cross-site", "cookie": f"hanse_token={text}"},
    )
    assert answer.status_code == 403
    assert "Mia" not in {r.reader for r in requests_module.Requests(tokens.path).all()}


def test_the_audit_has_the_decisions(client: TestClient, folder: Path, tokens: Tokens) -> None:
    owner = header(tokens, "Nia", "admin:*")
    number = ask(client, header(tokens, "Olu"))[1]["id"]
    decide(client, owner, number, approve=False)
    client.app.state.catalog.audit.close()  # type: ignore[attr-defined]
    actions = {(r.action, r.outcome) for r in Audit(folder / "audit.db").last(20, reader="Nia")}
    assert ("decision", "denied") in actions


def test_the_command_decides(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from typer.testing import CliRunner

    from hanse_catalog.access import Reader
    from hanse_catalog.cli import access

    root = folder / "own"
    root.mkdir()
    (root / "hanse.toml").write_text("", encoding="utf-8")
    monkeypatch.chdir(root)
    mesh = SampleMesh(folder / "m2")
    product = next(p for p in mesh.products() if p.full_name == PROTECTED)
    made = requests_module.Requests(root / ".hanse" / "catalog.db").ask(
        Reader("Pat", known=True), product, "months", 30
    )
    run = CliRunner()
    assert run.invoke(access, ["approve", str(made.id)]).output.startswith(
        "approved: Pat and orders.margins until"
    )
    (row,) = json.loads(run.invoke(access, ["list", "--json"]).output)
    assert (row["state"], row["decided_by"]) == ("approved", "the mesh's owner")
    assert "Pat" in run.invoke(access, ["list"]).output
