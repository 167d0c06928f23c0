"""Programs on a real Flink: the jobs that `FlinkOracle.java` runs, and their rows as the case files write them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime, time
from pathlib import Path
from typing import Any

from hanse.sql import dialect as ast
from hanse.sql.program import parse

SOURCE = Path(__file__).parents[1] / "integration/flink/FlinkOracle.java"
INSERT = re.compile(r"(?is)insert\s+into\s+`?([\w.$]+)`?\s*")


def jars() -> list[str]:
    """The jars of the distribution that HANSE_FLINK_LIB names; none without it."""
    folder = os.environ.get("HANSE_FLINK_LIB")
    return [str(path) for path in sorted(Path(folder).glob("*.jar"))] if folder else []


def statements(text: str) -> list[str]:
    """A program's statements."""
    parts = re.findall(r"(?s)((?:'[^']*'|`[^`]*`|\"[^\"]*\"|--[^\n]*|[^;])+)", text)
    return [part.strip() for part in parts if part.strip()]


def job(name: str, text: str, feed: Sequence[Any]) -> dict[str, Any]:
    """A program and its feed (rows as [source, kind, value…], and "mark") as the oracle takes them."""
    texts = statements(text)
    targets = {found.group(1) for part in texts if (found := INSERT.match(part))}
    queries: dict[str, list[str]] = {}
    made: dict[str, Any] = {"id": name, "sources": [], "views": [], "config": {}}
    for part in texts:
        insert = INSERT.match(part)
        setting = re.match(r"(?i)set\s+'([^']*)'\s*=\s*'([^']*)'", part)
        if insert:
            queries.setdefault(insert.group(1), []).append(part[insert.end() :])
        elif setting:
            made["config"][setting.group(1)] = setting.group(2)
        elif re.match(r"(?is)create\s+(temporary\s+)?view", part):
            made["views"].append(re.sub(r"(?is)^create\s+(temporary\s+)?view", "CREATE TEMPORARY VIEW", part))
        elif re.match(r"(?is)create\s", part):
            tree = parse(part)[0]
            if tree.this.name not in targets:
                made["sources"].append(_source(tree))
        else:
            queries.setdefault("result", []).append(part)
    read = " ".join([*made["views"], *(query for several in queries.values() for query in several)])
    used = {s["name"] for s in made["sources"] if _reads(read, s["name"])}
    made["sources"] = [source for source in made["sources"] if source["name"] in used]
    made["sinks"] = [{"name": sink, "query": " UNION ALL ".join(q)} for sink, q in queries.items()]
    made["feed"] = [item for item in feed if isinstance(item, str) or item[0] in used]
    return made


def _reads(text: str, name: str) -> bool:
    return (
        re.search(rf"(?i)(?:\bfrom|\bjoin|\btable|,|\()\s*\(?\s*`?{re.escape(name)}`?(?![\w.(])", text)
        is not None
    )


def _source(tree: ast.CreateTable) -> dict[str, Any]:
    schema, keys = [], [key.name for key in tree.args.get("key") or []]
    for column in tree.args["columns"]:
        if column.args.get("key"):
            keys.append(column.this.name)
        computed: Any = column.args.get("computed")
        if computed is not None:
            schema.append(["computed", column.this.name, computed.sql(dialect=ast.Flink)])
        else:
            filled = " NOT NULL" if column.args.get("not_null") else ""
            schema.append(["column", column.this.name, column.args["kind"].name + filled])
    mark = tree.args.get("watermark")
    options = {option.this.name: option.expression.name for option in tree.args.get("options") or []}
    return {
        "name": tree.this.name,
        "schema": schema,
        "watermark": [mark.this.name, mark.expression.sql(dialect=ast.Flink)] if mark is not None else None,
        "primary_key": list(dict.fromkeys(keys)) or None,
        "mode": options.get("changelog-mode", "I"),
    }


def run(jobs: Sequence[dict[str, Any]], folder: Path, *, pause: int = 30, at_once: int = 2) -> Iterator[Any]:
    """Each job's result as it ends: `marks` and `end` by sink, or `error`."""
    path = ":".join([str(folder), *jars()])
    subprocess.run(
        ["javac", "-nowarn", "-cp", path, "-d", str(folder), str(SOURCE)], check=True, capture_output=True
    )
    command = ["java", "-Xmx1800m", "-XX:+UseSerialGC", "-cp", path, "FlinkOracle", str(pause), str(at_once)]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert process.stdin is not None
    assert process.stdout is not None
    given, text = process.stdin, "".join(json.dumps(one) + "\n" for one in jobs)

    def give() -> None:
        given.write(text)
        given.close()

    threading.Thread(target=give, daemon=True).start()
    for line in process.stdout:
        yield json.loads(line)
    process.wait(60)


def folded(changes: Sequence[Sequence[Any]]) -> list[Any]:
    """The rows that a changelog comes to, in an order of their own."""
    counts: Counter[str] = Counter()
    for kind, *row in changes:
        counts[json.dumps(plain(row))] += 1 if kind in ("+I", "+U") else -1
    return sorted((json.loads(row) for row in counts.elements()), key=repr)


def plain(value: Any) -> Any:
    """A value of the oracle's as the case files write it."""
    if isinstance(value, float):
        return float(f"{value:.9g}")
    if isinstance(value, dict):
        return {"$map": sorted(([plain(k), plain(v)] for k, v in value["$map"]), key=repr)}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+", value):
        return datetime.fromisoformat(value).isoformat()
    if isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+Z", value):
        return datetime.fromisoformat(value[:-1]).isoformat() + "+00:00"
    if isinstance(value, str) and re.fullmatch(r"\d\d:\d\d(:[\d.]+)?", value):
        return time.fromisoformat(value).isoformat()
    return value
