"""`hanse check`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from hanse.errors import ConfigError, HanseError

if TYPE_CHECKING:
    from hanse.ports.event_log import TopicSpec
    from hanse_governance.registration import Desk
    from hanse_governance.runner import Report

CLEAN, FINDINGS, USAGE = 0, 1, 2
Format = Literal["text", "json", "junit", "sarif", "github", "gitlab", "markdown"]
_CACHE = "check"


def check(
    paths: Annotated[
        list[Path] | None, typer.Argument(help="Only findings under these files or folders.")
    ] = None,
    base: Annotated[
        str | None, typer.Option(help="Compare with this git ref: branch, tag or commit.")
    ] = None,
    perspective: Annotated[
        Literal["producer", "consumer"],
        typer.Option(help="What is wrong at PATH, or what others break for the products at PATH."),
    ] = "producer",
    select: Annotated[
        list[str] | None, typer.Option(help="Only these codes or prefixes (PII, SCH002).")
    ] = None,
    ignore: Annotated[list[str] | None, typer.Option(help="Without these codes or prefixes.")] = None,
    fail_on: Annotated[
        Literal["error", "warning"], typer.Option(help="What makes the exit code 1.")
    ] = "error",
    log: Annotated[
        bool, typer.Option("--log", help="Ask the mesh's log too whether its topics are as declared.")
    ] = False,
    form: Annotated[Format, typer.Option("--format", help="How to print.")] = "text",
    output: Annotated[Path | None, typer.Option(help="Write to this file instead of the terminal.")] = None,
    waivers: Annotated[
        bool, typer.Option("--waivers", help="List the waivers instead of the findings.")
    ] = False,
    explain: Annotated[str | None, typer.Option(help="Print the page of this policy.")] = None,
    no_cache: Annotated[bool, typer.Option("--no-cache", help="Do everything anew.")] = False,
) -> None:
    """Check products, contracts, schemas and projections against the mesh's policies.

    Exit codes: 0 nothing found (or only what `--fail-on` lets pass), 1 findings, 2 the check could not
    run: no mesh here, an unknown code, a base ref that does not exist.
    """
    try:
        if explain is not None:
            typer.echo(_page(explain))
            return
        report = _report(paths or [], base, perspective, select or [], ignore or [], no_cache, log)
        text = _waiver_table(report) if waivers else _formatted(report, form)
        _emit(text, output)
    except HanseError as error:
        typer.secho(f"error: {error}", fg="red", err=True)
        raise typer.Exit(USAGE) from None
    if waivers:
        raise typer.Exit(FINDINGS if any(w["state"] == "expired" for w in report.waivers) else CLEAN)
    raise typer.Exit(FINDINGS if report.fails(fail_on) else CLEAN)


def _report(
    paths: list[Path],
    base: str | None,
    perspective: str,
    select: list[str],
    ignore: list[str],
    no_cache: bool,
    log: bool,
) -> Report:
    from hanse.settings import find_root, load_settings
    from hanse_governance.runner import check_mesh

    places = [p.resolve() for p in paths]
    for place, given in zip(places, paths, strict=True):
        if not place.exists():
            raise ConfigError("there is no such path", where=str(given))
    root = find_root(places[0] if places else None)
    _known_codes([*select, *ignore], root)
    outside = [p for p in places if not p.is_relative_to(root)]
    if outside:
        raise ConfigError(
            "the paths are not all in one mesh", where=str(outside[0]), expected=f"inside {root}"
        )
    cache = None if no_cache else load_settings(root).data / _CACHE
    report = check_mesh(root, base=base, cache_folder=cache, in_log=_topics_in_log(root) if log else None)
    places = [] if root in places else places
    if perspective == "consumer":
        return report.for_consumers(places).narrowed(select, ignore)
    return report.narrowed(select, ignore, places)


def _topics_in_log(root: Path) -> dict[str, TopicSpec]:
    """The topics of the log that the settings name. Raises LogError when it does not answer."""
    from hanse.bootstrap import Mesh

    with Mesh.open(root) as mesh:
        return {info.spec.name: info.spec for info in mesh.log.topics()}


def _known_codes(patterns: list[str], root: Path) -> None:
    from hanse_governance.federation import matches
    from hanse_governance.runner import policies_of

    policies = policies_of(root)[0] if patterns else ()
    for pattern in patterns:
        if not any(matches(policy.code, (pattern,)) for policy in policies):
            known = sorted({policy.code[:3] for policy in policies})
            raise ConfigError(
                f"no policy has the code {pattern!r}", expected=f"a code of {', '.join(known)}, or ALL"
            )


def _page(code: str) -> str:
    from hanse.settings import find_root
    from hanse_governance.docs import page
    from hanse_governance.runner import policies_of

    root = find_root(None)
    _known_codes([code], root)
    return "\n".join(page(p) for p in policies_of(root)[0] if p.code.startswith(code))


def _formatted(report: Report, form: str) -> str:
    from hanse_governance.reporters import FORMATS

    return FORMATS[form](report)


def _waiver_table(report: Report) -> str:
    if not report.waivers:
        return "No waivers.\n"
    rows = [("code", "subject", "until", "state", "owner", "reason")]
    rows += [tuple(w[k] for k in rows[0]) for w in report.waivers]  # type: ignore[misc]
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join(lines) + "\n"


def _emit(text: str, output: Path | None) -> None:
    if output is None:
        typer.echo(text, nl=False)
        return
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError("the report cannot be written", where=str(output), got=error.strerror) from error


registration = typer.Typer(
    add_completion=False, no_args_is_help=True, help="Products registered in this mesh."
)


def _desk() -> Desk:
    from hanse.settings import load_settings
    from hanse_governance.registration import Desk

    settings = load_settings()
    return Desk(settings.root, settings.data)


@registration.command("list")
def registration_list(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Show what was registered, by whom, and what became of it, newest first."""
    from hanse.cli.printed import table

    rows = [r.as_dict() for r in _desk().history()]
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
        return
    shown = ("id", "product", "version", "state", "waits_for", "by", "at", "decided_by", "note")
    table("Registrations", [{k: row[k] for k in shown} for row in rows])


@registration.command("approve")
def registration_approve(
    number: Annotated[int, typer.Argument(help="The registration's id.")],
    note: Annotated[str, typer.Option(help="A word to whoever registered it.")] = "",
) -> None:
    """Let a proposed product in, after the gate has passed it again."""
    _decide(number, note, approve=True)


@registration.command("deny")
def registration_deny(
    number: Annotated[int, typer.Argument(help="The registration's id.")],
    note: Annotated[str, typer.Option(help="A word to whoever registered it.")] = "",
) -> None:
    """Do not let it in."""
    _decide(number, note, approve=False)


def _decide(number: int, note: str, *, approve: bool) -> None:
    from hanse.cli.printed import printable

    decided = _desk().decide(number, "the mesh's owner", approve=approve, note=note)
    typer.echo(printable(f"{decided.state}: {decided.product} {decided.version}"))
