"""A domain that is put together wrongly is refused when it is loaded, not when it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hanse.domain import (
    Aggregate,
    Application,
    Command,
    Event,
    Integration,
    PersonalText,
    applies,
    command,
    decides,
    event,
    load,
    upcaster,
)
from hanse.domain.codec import decoder
from hanse.errors import ConfigError
from hanse.model.mesh import Domain, Team
from helpers.shop_model import Closed, Opened, Shop


def aggregate_of(*events: type[Event], name: str = "thing") -> type[Aggregate]:
    def apply_it(self: Aggregate, happened: Event) -> None:
        """Nothing."""

    members: dict[str, Any] = {"apply_it": applies(*events)(apply_it)}
    return type("Thing", (Aggregate,), members, name=name, identity="thing_id")  # pyright: ignore[reportCallIssue]


def test_an_event_is_either_published_or_private() -> None:
    with pytest.raises(ConfigError, match="ShopOpened must be either"):
        Application("shop", aggregates=[Shop], integration=Integration(private=(Closed,)))
    both = Integration(private=(Closed, Opened))
    Application("shop", aggregates=[Shop], integration=both)
    both.publishes(Opened)(lambda *_: ())
    with pytest.raises(ConfigError, match="ShopOpened must be either"):
        Application("shop", aggregates=[Shop], integration=both)


def test_a_mapping_of_an_unknown_event_is_refused() -> None:
    @event("Stranger")
    class Stranger(Event):
        shop_id: str

    with pytest.raises(ConfigError, match="no aggregate applies Stranger"):
        Application("shop", aggregates=[Shop], integration=Integration(private=(Opened, Closed, Stranger)))


def test_personal_fields_need_a_subject() -> None:
    @event("Named")
    class Named(Event):
        thing_id: str
        name: PersonalText

    with pytest.raises(ConfigError, match="no subject"):
        Application("things", aggregates=[aggregate_of(Named)])


def test_the_subject_is_a_field() -> None:
    @event("Renamed", subject="person_id")
    class Renamed(Event):
        thing_id: str
        name: PersonalText

    with pytest.raises(ConfigError, match="no field 'person_id'"):
        Application("things", aggregates=[aggregate_of(Renamed)])


def test_every_old_version_has_an_upcaster() -> None:
    @event("Aged", version=3)
    class Aged(Event):
        thing_id: str

    upcaster(Aged, 1)(dict)
    with pytest.raises(ConfigError, match="cannot read its version 2"):
        Application("things", aggregates=[aggregate_of(Aged)])
    with pytest.raises(ConfigError, match="no upcaster is wanted"):
        upcaster(Aged, 1)(dict)
    with pytest.raises(ConfigError, match="no upcaster is wanted"):
        upcaster(Aged, 3)(dict)


def test_two_events_do_not_share_a_stored_name() -> None:
    @event("First", formerly=("Old",))
    class First(Event):
        thing_id: str

    @event("Second", formerly=("Old",))
    class Second(Event):
        thing_id: str

    with pytest.raises(ConfigError, match="'Old'"):
        Application("things", aggregates=[aggregate_of(First, Second)])


def test_two_aggregates_do_not_decide_one_command() -> None:
    with pytest.raises(ConfigError, match="two aggregates decide Open"):
        Application("shop", aggregates=[Shop, Shop])


def test_commands_and_events_say_which_aggregate_they_are_for() -> None:
    @command
    class Nameless(Command):
        size: int

    with pytest.raises(ConfigError, match="Nameless does not say which thing"):

        class Thing(Aggregate, name="thing", identity="thing_id"):  # pyright: ignore[reportUnusedClass]
            @decides(Nameless)
            def decide_it(self, _: Nameless) -> None:
                """Nothing."""


def test_a_field_that_cannot_be_stored_is_refused() -> None:
    @event("Odd")
    class Odd(Event):
        thing_id: str
        many: dict[str, int]

    with pytest.raises(ConfigError, match="cannot be a field"):
        decoder(Odd)


def domain_of(folder: Path, module: str | None) -> Domain:
    return Domain("things", folder, Team("Things"), module=module)


def test_a_domain_without_a_module_has_no_application(tmp_path: Path) -> None:
    assert load(domain_of(tmp_path, None)) is None


def test_the_reference_domains_are_found() -> None:
    for name in ("customers", "orders"):
        application = load(domain_of(Path(), name))
        assert application is not None
        assert application.name == name


def test_a_module_is_found_in_the_domains_src_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "src" / "things_of_a_test"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(
        "from hanse.domain import Application\napplication = Application('things', aggregates=[])\n"
    )
    monkeypatch.setattr("sys.path", [*__import__("sys").path])
    application = load(domain_of(tmp_path, "things_of_a_test"))
    assert application is not None


@pytest.mark.parametrize(
    ("module", "problem"), [("no_such_module", "cannot be imported"), ("json", "has no app")]
)
def test_a_module_that_does_not_fit_is_named(tmp_path: Path, module: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem) as caught:
        load(domain_of(tmp_path, module))
    assert "domain.yaml" in str(caught.value)
