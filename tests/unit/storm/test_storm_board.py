"""The board of the reference mesh: what is on it, how it is laid out, and that the committed one is true."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from collections import Counter
from pathlib import Path

import pytest

from hanse.descriptors import load_mesh
from hanse.domain import load
from hanse.domain.saga import Facts, Saga, Send, Step, When
from hanse.storm import Arrow, Board, Lane, Note, board_of
from hanse.storm.layout import drawing_of, overlaps
from hanse.storm.probe import probe
from hanse.storm.shapes import CHIP_INSIDE, INSIDE, SMALL, TITLE, Box, Drawing
from hanse.storm.svg import html, svg
from hanse.storm.text import width, words, wrap

ROOT = Path(__file__).resolve().parents[3]
BOARDS = ROOT / "docs/boards"
MEND = "run: hanse storm --format {0} --output docs/boards/book-box.{0}"


@pytest.fixture(scope="module")
def board() -> Board:
    return board_of(load_mesh(ROOT))


@pytest.fixture(scope="module")
def drawing(board: Board) -> Drawing:
    return drawing_of(board)


def test_every_command_event_aggregate_and_saga_of_the_code_is_a_note(board: Board) -> None:
    for domain in load_mesh(ROOT).domains:
        application = load(domain)
        assert application is not None
        wanted = {f"command:{domain.name}.{c.__name__}" for c in application.commands}
        wanted |= {f"event:{domain.name}.{e.event_name}" for e in application.owners}
        wanted |= {f"aggregate:{domain.name}.{a.__name__}" for a in application.aggregates}
        kinds = {name: "policy" if saga.automation else "saga" for name, saga in application.sagas.items()}
        wanted |= {f"{kind}:{domain.name}.{name}" for name, kind in kinds.items()}
        assert wanted <= board.notes.keys()


def test_every_product_and_every_command_is_reached_by_an_arrow(board: Board) -> None:
    for note in board.notes.values():
        if note.kind == "read_model":
            assert board.into(note.id, "feeds"), f"{note.id} lives on nothing"
        if note.kind == "command":
            asking = [a.relation for a in board.arrows if a.target == note.id]
            assert set(asking) & {"asks", "sends", "undoes"}, (
                f"nobody asks for {note.id}: systems in domain.yaml"
            )


def test_every_command_leads_to_its_event_and_every_public_event_to_a_topic(board: Board) -> None:
    for note in board.notes.values():
        if note.kind == "command":
            assert [n for n in board.from_(note.id, "records") if n.startswith("event:")], note.id
        if note.kind == "event":
            assert bool(board.from_(note.id, "publishes")) == note.public, note.id


def test_arrows_cross_domains_where_the_business_does(board: Board) -> None:
    arrows = set(board.arrows)
    register = "policy:customers.when_lead_won_then_register_customer"
    assert Arrow("topic:leads.lead_won", register, "wakes") in arrows
    assert Arrow(register, "command:customers.RegisterCustomer", "sends") in arrows
    saga = "saga:orders.fulfil_order"
    for command in ("inventory.ReserveStock", "inventory.CommitReservation", "shipping.PlanShipment"):
        assert Arrow(saga, f"command:{command}", "sends") in arrows
    for command in ("inventory.ReleaseReservation", "orders.RefundPayment", "orders.CancelOrder"):
        assert Arrow(saga, f"command:{command}", "undoes") in arrows
    over_a_product = Arrow(
        "read_model:orders.order_status", "read_model:reporting.customer_lifetime_value", "feeds"
    )
    assert over_a_product in arrows


def test_lanes_follow_the_business(board: Board) -> None:
    assert [lane.domain for lane in board.lanes] == [
        "leads", "customers", "orders", "inventory", "shipping", "reporting"
    ]  # fmt: skip


def test_no_note_lies_over_another_and_all_are_inside(drawing: Drawing) -> None:
    assert len(drawing.boxes) > 100
    assert overlaps(drawing.boxes) == []
    for box in drawing.boxes:
        assert box.x >= 0 <= box.y
        assert box.x + box.w <= drawing.width
        assert box.y + box.h <= drawing.height


def test_every_text_fits_its_note_and_is_large_enough_to_read(drawing: Drawing) -> None:
    for box in drawing.boxes:
        chip = box.style == "chip"
        size, inside = (SMALL, CHIP_INSIDE) if chip else (TITLE, INSIDE)
        assert size >= 12
        assert len(box.lines) * 16 <= box.h
        for line in box.lines:
            assert "…" not in line, box.lines
            assert width(line, size, bold=not chip) <= box.w - 2 * inside


def test_no_arrow_crosses_a_note(drawing: Drawing) -> None:
    """Every line is straight down, or runs inside a saga's strip; none passes through what is not its end."""
    for points, dashed in drawing.arrows:
        if dashed or points[0][0] != points[-1][0]:
            continue
        x, top, bottom = points[0][0], points[0][1], points[-1][1]
        crossed = [b for b in drawing.boxes if b.solid and _crosses(b, x, top, bottom)]
        assert not crossed, (points, crossed)


def _crosses(box: Box, x: int, top: int, bottom: int) -> bool:
    return box.x < x < box.x + box.w and box.y < bottom and top < box.y + box.h


def test_overlaps_are_found() -> None:
    one, other = Box("event", 0, 0, 10, 10), Box("event", 9, 9, 10, 10)
    assert overlaps([one, other]) == [(one, other)]
    assert overlaps([one, Box("event", 10, 0, 10, 10)]) == []


@pytest.mark.parametrize("form", ["json", "svg"])
def test_the_committed_board_is_true(board: Board, form: str) -> None:
    drawn = svg(board) if form == "svg" else json.dumps(board.as_dict(), indent=2) + "\n"
    committed = BOARDS / f"book-box.{form}"
    assert committed.read_text(encoding="utf-8") == drawn, MEND.format(form)


def test_the_picture_is_well_formed_and_holds_no_script(board: Board) -> None:
    root = ET.fromstring(svg(board))
    tags = Counter(element.tag.rsplit("}", 1)[-1] for element in root.iter())
    assert tags["text"] > 150
    assert not tags["script"]


def test_names_from_code_and_descriptors_are_no_markup() -> None:
    odd = Note("event:a.X", "event", "a", "X", about="<script>alert(1)</script>")
    lane = Lane("a", "<b>all</b> & more", "T <i>", (odd,))
    page = html(Board((lane,), ()))
    assert "<script>" not in page
    assert "<b>all" not in page
    ET.fromstring(page[page.index("<svg") : page.index("</svg>") + 6])


def test_a_mesh_without_code_has_a_board() -> None:
    assert "Event storming" in svg(Board((), ()))
    assert overlaps(drawing_of(Board((Lane("a", "", "T", ()),), ())).boxes) == []


def test_words_and_lines() -> None:
    assert words("OrderPlaced") == words("order_placed") == "Order placed"
    assert words("HTTPCall2") == "HTTP call 2"
    assert wrap("one two three", 1, 12, most=3)[-1].endswith("…")
    assert width("mmm", 12) > width("iii", 12)


def test_a_function_that_no_past_satisfies_sends_nothing() -> None:
    step = Step(name="odd", command=lambda seen: seen["nowhere.at_all"]["x"])
    saga = Saga(name="odd", starts=When("a.b"), steps=(step,))
    assert step.command is not None
    assert probe(step.command, saga, step, {}) is None

    def second(seen: Facts) -> Send | None:
        return Send("a", "Do") if seen["a.b"] == {} else None

    assert probe(second, saga, step, {}) == Send("a", "Do")
