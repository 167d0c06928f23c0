"""The pages in a real browser: no console error, no script needed, keyboard, contrast, phone width."""

from __future__ import annotations

import os
import socket
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import uvicorn

from hanse.client import CatalogError, Client
from hanse_catalog.app import create_app
from hanse_catalog.tokens import Tokens
from helpers.catalog_mesh import SampleMesh

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
).split()
PAGES = [
    "/",
    "/?q=state",
    "/?q=nothing+at+all",
    "/products/orders/orders",
    "/products/orders/orders?asof=7001",
    "/products/orders/orders?tab=schema",
    "/products/orders/orders?tab=quality",
    "/products/orders/orders?tab=lineage&hops=3",
    "/products/orders/orders?tab=history",
    "/products/orders/orders/changes?from=7001&to=7002",
    "/products/orders/unpublished",
    "/products/orders/margins",
    "/sign-in",
    "/access",
    "/domains",
    "/domains/orders",
    "/glossary",
    "/fields",
    "/fields?name=state",
    "/sql",
    "/sql?sql=SELECT+*+FROM+orders.orders",
    "/docs",
]
CHECKS = """() => {
  const faults = [];
  const ids = [...document.querySelectorAll('[id]')].map(e => e.id);
  for (const id of ids) if (ids.indexOf(id) !== ids.lastIndexOf(id)) faults.push('id twice: ' + id);
  for (const e of document.querySelectorAll('input:not([type=hidden]), textarea, select'))
    if (!e.labels?.length && !e.getAttribute('aria-label')) faults.push('no label: ' + e.outerHTML.slice(0, 80));
  for (const e of document.querySelectorAll('img')) if (!e.hasAttribute('alt')) faults.push('no alt: ' + e.src);
  for (const e of document.querySelectorAll('a, button'))
    if (!e.hidden && !(e.textContent.trim() || e.getAttribute('aria-label'))) faults.push('no name: ' + e.outerHTML.slice(0, 80));
  if (document.querySelectorAll('h1').length !== 1) faults.push('h1: ' + document.querySelectorAll('h1').length);
  if (!document.documentElement.lang) faults.push('no language');
  const light = c => { const [r, g, b] = c.match(/[\\d.]+/g).map(Number).map(v => v / 255)
    .map(v => v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4); return .2126 * r + .7152 * g + .0722 * b; };
  const ground = e => { for (; e; e = e.parentElement) { const c = getComputedStyle(e).backgroundColor;
    if (/^rgb\\(/.test(c)) return c; } return 'rgb(255, 255, 255)'; };
  for (const e of document.querySelectorAll('p, a, span, h1, h2, h3, td, th, small, dt, dd, label, button, code, summary, legend')) {
    if (!e.checkVisibility() || e.closest('.visually-hidden') || ![...e.childNodes].some(n => n.nodeType === 3 && n.data.trim())) continue;
    const style = getComputedStyle(e);
    if (parseFloat(style.fontSize) < 12) faults.push('small: ' + e.textContent.slice(0, 40));
    if (!/^rgb\\(/.test(style.color)) continue;
    const [a, b] = [light(style.color), light(ground(e))].sort((x, y) => y - x);
    if ((a + .05) / (b + .05) < 4.5) faults.push('contrast ' + ((a + .05) / (b + .05)).toFixed(2) + ': ' + e.textContent.trim().slice(0, 40));
  }
  return [...new Set(faults)];
}"""


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("pages")
    app = create_app(SampleMesh(folder / "mesh"), tokens=Tokens(folder / "catalog.db"))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    base = f"http://127.0.0.1:{port}"
    until = time.monotonic() + 30
    while True:
        try:
            urllib.request.urlopen(base + "/ready", timeout=2).close()
            break
        except OSError:
            assert time.monotonic() < until
            time.sleep(0.1)
    yield base
    server.should_exit = True
    thread.join(20)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if not CHROMIUM.exists():
        if os.environ.get("CI"):
            pytest.fail(f"{CHROMIUM} is missing")
        pytest.skip(f"{CHROMIUM} is missing")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_is_clean(address: str, browser: Browser, scheme: str) -> None:
    page = browser.new_page(color_scheme=scheme, viewport={"width": 1280, "height": 860})
    heard: list[str] = []
    page.on(
        "console",
        lambda message: heard.append(message.text) if message.type in ("error", "warning") else None,
    )
    page.on("pageerror", lambda error: heard.append(str(error)))
    page.on(
        "request", lambda request: heard.append(request.url) if not request.url.startswith(address) else None
    )
    faults = {}
    for path in PAGES:
        page.goto(address + path)
        if found := page.evaluate(CHECKS):
            faults[path] = found
        assert len(page.content()) < 250_000, path
    page.close()
    assert not heard
    assert not faults


@pytest.mark.parametrize("script", [True, False])
def test_no_page_is_wider_than_a_phone(address: str, browser: Browser, script: bool) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 844}, java_script_enabled=True)
    page = context.new_page()
    if not script:
        page.route("**/*.js", lambda route: route.abort())
    for path in PAGES:
        page.goto(address + path)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, path
    context.close()


def test_without_scripts_one_can_search_read_and_query(address: str, browser: Browser) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(address)
    page.fill("#top-q", "orders by stat")
    page.press("#top-q", "Enter")
    page.click("text=orders_by_state")
    assert page.inner_text("h1") == "orders.orders_by_state"
    page.click("text=Query it in SQL")
    page.fill("#sql", "SELECT state, orders FROM orders.orders_by_state WHERE state = :state")
    page.click("text=Run")
    page.fill("#p-state", "SP")
    page.click("text=Run")
    assert page.inner_text("table.grid tbody") == "SP\t250"
    assert "state=SP" in page.url
    context.close()


def test_going_back_in_time_shows_it(address: str, browser: Browser) -> None:
    page = browser.new_page()
    page.goto(address + "/products/orders/orders")
    page.click(".tick.published >> nth=0")
    assert "not at now" in page.inner_text(".past")
    assert "snapshot 1" in page.inner_text(".byline")
    page.click("text=Back to now")
    assert page.locator(".past").count() == 0
    page.goto(address + "/products/orders/orders/changes?from=7001&to=7002")
    assert "400 added, 0 changed, 0 removed" in page.inner_text(".lead")
    page.close()


def test_search_as_you_type_by_keyboard(address: str, browser: Browser) -> None:
    page: Page = browser.new_page()
    page.goto(address + "/glossary")
    page.keyboard.press("/")
    page.keyboard.type("custome")
    page.wait_for_selector("#suggest li")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_url("**/products/customers/customers**")
    page.close()


def test_a_query_that_fails_says_why_and_keeps_the_text(address: str, browser: Browser) -> None:
    page = browser.new_page()
    page.goto(address + "/sql?sql=SELECT+getenv('HOME')")
    assert "getenv is not allowed" in page.inner_text("[role=alert]")
    assert page.input_value("#sql") == "SELECT getenv('HOME')"
    page.close()


def test_the_python_client_reads_the_same(address: str) -> None:
    client = Client(address)
    result = client.query("SELECT order_id, total FROM orders.orders WHERE state = :state", state="SP")
    assert result.table.num_rows == 250 and not result.truncated
    assert result.snapshots == {"orders.orders": "7002"}
    assert result.to_polars().height == len(result.to_pandas()) == 250
    assert result.to_duckdb("o").execute("SELECT count(*) FROM o").fetchone() == (250,)
    assert client.query("SELECT * FROM orders.orders", as_of="7001", limit=5).truncated
    assert client.products("state")[0]["name"] == "orders.orders_by_state"
    assert client.product("orders.orders")["version"] == "1.2.0"
    with pytest.raises(CatalogError, match=r"orders\.salaries") as refused:
        client.query("SELECT * FROM orders.salaries")
    assert refused.value.status == 404
    with pytest.raises(CatalogError, match="does not answer"):
        Client("http://127.0.0.1:9").products()
