"""`domain.yaml`: a domain's team, language and topics."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from hanse.descriptors import standards, yaml
from hanse.descriptors.problem import Invalid, Problem
from hanse.descriptors.yaml import Document
from hanse.model.mesh import Domain, External, Team, Topic

FILE = "domain.yaml"
_DURATION = re.compile(
    r"P(?=.)(?:(?P<weeks>\d+)W)?(?:(?P<days>\d+)D)?"
    r"(?:T(?=.)(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?(?:(?P<seconds>\d+)S)?)?"
)
_READABLE = {"none": (".avsc", ".json", ".proto"), "connect": (".json",), "debezium": (".avsc", ".json")}
_SECONDS = {"weeks": 604_800, "days": 86_400, "hours": 3_600, "minutes": 60, "seconds": 1}


def duration_ms(text: str) -> int | None:
    """Milliseconds of an ISO 8601 duration of weeks, days, hours, minutes and seconds; None if it is none."""
    match = _DURATION.fullmatch(text.strip())
    if match is None or len(text) > 40:
        return None
    return 1_000 * sum(int(amount) * _SECONDS[unit] for unit, amount in match.groupdict("0").items())


def read_domain(directory: Path, problems: list[Problem]) -> Domain | None:
    """The domain in a folder, or None when its file is unusable; faults are added to `problems`."""
    try:
        document = yaml.read(directory / FILE)
    except Invalid as error:
        problems.append(error.problem)
        return None
    found = standards.check_domain(document)
    problems.extend(found)
    if found:
        return None
    data = document.data
    if data["domain"] != directory.name:
        problems.append(
            document.problem(
                "a domain is named as its folder", "domain", expected=directory.name, got=data["domain"]
            )
        )
    team = data["team"]
    return Domain(
        name=directory.name,
        directory=directory,
        team=Team(team["name"], team.get("email"), team.get("support")),
        purpose=data.get("purpose", ""),
        module=data.get("module"),
        language=dict(data.get("language", {})),
        topics=_topics(document, directory, problems),
        systems={name: tuple(commands) for name, commands in data.get("systems", {}).items()},
    )


def _topics(document: Document, directory: Path, problems: list[Problem]) -> tuple[Topic, ...]:
    topics: list[Topic] = []
    for name, spec in document.data.get("topics", {}).items():
        topic = _topic(document, directory, name, spec, problems)
        if topic is not None:
            topics.append(topic)
    return tuple(topics)


def _topic(
    document: Document, directory: Path, name: str, spec: dict[str, Any], problems: list[Problem]
) -> Topic | None:
    at = ("topics", name)
    count = len(problems)
    schema = inside(directory, spec["schema"])
    if schema is None or not schema.is_file():
        problems.append(
            document.problem(
                f"topic {name} has no schema file",
                *at,
                "schema",
                expected=f"a file inside {directory.name}/",
                got=spec["schema"],
            )
        )
    watermark = _duration(document, (*at, "watermark"), spec.get("watermark"), problems)
    retention = _duration(document, (*at, "retention"), spec.get("retention"), problems)
    if "watermark" in spec and "event_time" not in spec:
        problems.append(
            document.problem(
                f"topic {name} has a watermark on no column", *at, "watermark", fix="name event_time"
            )
        )
    external = _external(document, at, spec, problems)
    if len(problems) > count or schema is None:
        return None
    return Topic(
        domain=directory.name,
        name=name,
        schema_path=schema,
        key=tuple(spec["key"]),
        kind=spec.get("kind", "events"),
        event_time=spec.get("event_time"),
        watermark_delay_ms=watermark or 0,
        partitions=spec.get("partitions", 4),
        retention_ms=retention,
        retention_bytes=spec.get("retention_bytes"),
        access=spec.get("access", "private" if external else "public"),
        external=external,
    )


def _external(
    document: Document, at: tuple[str, str], spec: dict[str, Any], problems: list[Problem]
) -> External | None:
    """What is said of a topic that others write; its form must be one that Hanse can read."""
    said = spec.get("external")
    if said is None:
        return None
    made = External(
        said["topic"],
        said.get("envelope", "none"),
        said.get("key_from", "value"),
        said.get("registry"),
        said.get("history") == "partial",
    )
    suffix = Path(spec["schema"]).suffix
    if suffix not in _READABLE[made.envelope] or (made.key_from == "record" and suffix == ".proto"):
        problems.append(
            document.problem(
                f"values of topic {at[1]} in this form cannot be read with a schema of this format",
                *at,
                "external",
                expected=", ".join(_READABLE[made.envelope]) + "; .proto only with key_from: value",
                got=f"envelope {made.envelope}, key_from {made.key_from}, schema {spec['schema']}",
            )
        )
    changes = made.envelope == "debezium"
    if changes and (spec.get("kind") != "state" or made.key_from != "value"):
        what = f"change events of topic {at[1]} are a state, with the key inside the row"
        problems.append(document.problem(what, *at, expected="kind: state, key_from: value"))
    if not spec["key"] and (spec.get("kind") == "state" or made.key_from == "record"):
        problems.append(document.problem(f"topic {at[1]} needs a key", *at, "key", got="none"))
    return made


def _duration(
    document: Document, at: tuple[str, ...], text: str | None, problems: list[Problem]
) -> int | None:
    if text is None:
        return None
    found = duration_ms(text)
    if found is None:
        problems.append(
            document.problem(
                "this is not a duration", *at, expected="ISO 8601, such as PT5M or P30D", got=text
            )
        )
    return found


def inside(directory: Path, relative: str) -> Path | None:
    """The file `relative` names inside `directory`, or None when it leads outside."""
    if "\0" in relative or len(relative) > 500:
        return None
    try:
        path = (directory / relative).resolve()
    except (OSError, RuntimeError):  # a link that leads to itself
        return None
    return path if path.is_relative_to(directory.resolve()) else None
