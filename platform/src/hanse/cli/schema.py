"""`hanse schema`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hanse.errors import SchemaError

if TYPE_CHECKING:
    from hanse.ports.schema_registry import RegisteredSchema
    from hanse.schemas.finding import Finding
    from hanse.schemas.mesh_check import Checked

app = typer.Typer(no_args_is_help=True, help="Compare and check event schemas.")

_FORMATS = {".avsc": "AVRO", ".json": "JSON", ".proto": "PROTOBUF"}
_Json = Annotated[bool, typer.Option("--json", help="One JSON document.")]
_Mode = Annotated[
    str | None, typer.Option(help="BACKWARD, FORWARD, FULL, each also with _TRANSITIVE, or NONE.")
]


@app.command("verdict")
def verdict() -> None:
    """Read pairs of schemas as JSON lines, write a verdict a line.

    A line is {id, format, old, new, mode, history?, old_references?, new_references?}; the answer is
    {id, compatible, findings}, in order, with an error where a line or a schema cannot be understood.
    """
    from hanse.schemas.verdict import verdicts

    verdicts(sys.stdin.buffer, sys.stdout)
    sys.stdout.flush()


@app.command("diff")
def diff(
    old: Annotated[
        Path, typer.Argument(help="The older schema: a file, or SUBJECT[@VERSION] of the registry.")
    ],
    new: Annotated[Path, typer.Argument(help="The newer one.")],
    mode: _Mode = None,
    schema_type: Annotated[
        str | None, typer.Option("--format", help="avro, json or protobuf; by default from the file's name.")
    ] = None,
    as_json: _Json = False,
) -> None:
    """Say what breaks between two schemas: every incompatibility with its place and both sides.

    Exit code 1 when they are incompatible under the mode (BACKWARD unless another is given).
    """
    from hanse.schemas.formats import check, parse

    before, after = _load(str(old), schema_type), _load(str(new), schema_type)
    findings = check(parse(*after), [(None, parse(*before))], (mode or "BACKWARD").upper())
    if as_json:
        typer.echo(
            json.dumps({"compatible": not findings, "findings": [f.as_dict() for f in findings]}, indent=2)
        )
    else:
        _print_findings(findings)
        if not findings:
            typer.secho(f"compatible under {(mode or 'BACKWARD').upper()}", fg="green")
    raise typer.Exit(1 if findings else 0)


@app.command("check")
def check_mesh(
    base: Annotated[
        str | None, typer.Option(help="Compare with this git revision instead of with the registry.")
    ] = None,
    mode: _Mode = None,
    as_json: _Json = False,
) -> None:
    """Check the event schemas of all domains against the registry, or against a git revision.

    Exit code 1 when a schema is invalid or would break readers.
    """
    from hanse.bootstrap import Mesh
    from hanse.schemas.formats import check_mode
    from hanse.schemas.mesh_check import check_against_ref, check_against_registry

    wanted = mode.upper() if mode else None
    if wanted:
        check_mode(wanted)
    with Mesh.open() as mesh:
        if base is not None:
            checked = check_against_ref(mesh.model, base, wanted or "BACKWARD")
        else:
            checked = check_against_registry(mesh.model, mesh.registry, wanted)
    good = all(item.good for item in checked)
    if as_json:
        document = {"compatible": good, "schemas": [item.as_dict() for item in checked]}
        typer.echo(json.dumps(document, indent=2))
    else:
        _print_checked(checked)
    raise typer.Exit(0 if good else 1)


@app.command("history")
def history(
    subject: Annotated[str, typer.Argument(help="A subject, or a topic (its value subject is meant).")],
    as_json: _Json = False,
) -> None:
    """List the registered versions of a subject, with what each changed against the one before."""
    from hanse.bootstrap import Mesh

    with Mesh.open() as mesh:
        versions = mesh.registry.versions(subject) or mesh.registry.versions(f"{subject}-value")
        known = mesh.registry.subjects() if not versions else []
    if not versions:
        raise SchemaError(
            f"no versions are registered for {subject!r}",
            expected=", ".join(known[:20]) or "the registry is empty",
        )
    rows = [_history_row(version, versions[i - 1] if i else None) for i, version in enumerate(versions)]
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
        return
    for row in rows:
        typer.secho(f"{row['subject']} version {row['version']}, id {row['id']}, {row['type']}", bold=True)
        for line in row["changes"]:
            typer.echo(f"  {line}")


def _history_row(version: RegisteredSchema, before: RegisteredSchema | None) -> dict[str, Any]:
    changes = ["the first version"]
    if before is not None:
        changes = _changes(before, version)
    return {
        "subject": version.subject,
        "version": version.version,
        "id": version.id,
        "type": version.schema_type,
        "changes": changes,
    }


def _changes(before: RegisteredSchema, after: RegisteredSchema) -> list[str]:
    """What a full comparison finds, in both directions; references are not followed here."""
    from hanse.schemas.formats import check, parse

    if before.references or after.references:
        return ["refers to other schemas: compare with `hanse schema diff`"]
    old, new = (parse(v.schema_type, v.schema) for v in (before, after))
    findings = check(new, [(before.version, old)], "FULL")
    return [f"{f.direction}: {f}" for f in findings] or ["compatible in both directions"]


def _load(name: str, schema_type: str | None) -> tuple[str, str]:
    """Format and text of a file, or of a subject's version in the mesh's registry."""
    from hanse.schemas.mesh_check import read_schema

    path = Path(name)
    if path.is_file():
        kind = schema_type or _FORMATS.get(path.suffix)
        if kind is None:
            raise SchemaError("the schema's format is not known", where=name, fix="give --format")
        return kind, read_schema(path)
    found = _registered(name)
    return found.schema_type, found.schema


def _registered(name: str) -> RegisteredSchema:
    from hanse.bootstrap import Mesh

    subject, _, version = name.partition("@")
    with Mesh.open() as mesh:
        versions = mesh.registry.versions(subject) or mesh.registry.versions(f"{subject}-value")
    chosen = versions if not version else [v for v in versions if str(v.version) == version]
    if not chosen:
        raise SchemaError(
            "neither a file nor a registered schema", got=name, expected="a path or SUBJECT[@VERSION]"
        )
    return chosen[-1]


def _print_findings(findings: list[Finding]) -> None:
    for finding in findings:
        typer.secho(f"{finding.kind} at {finding.path} ({finding.direction})", fg="red")
        typer.echo(f"  {finding.message}\n  old: {finding.old}\n  new: {finding.new}")


def _print_checked(checked: list[Checked]) -> None:
    for item in checked:
        typer.secho(f"{item.status:>12}  {item.path}", fg="green" if item.good else "red")
        if item.problem:
            typer.echo("    " + item.problem.replace("\n", "\n    "))
        for finding in item.findings:
            typer.echo(f"    {finding}")
    typer.echo(f"{len(checked)} schemas, {sum(not item.good for item in checked)} not good")
