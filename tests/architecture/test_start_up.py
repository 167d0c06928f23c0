"""Starting is cheap: the command line pulls in nothing heavy."""

from __future__ import annotations

import subprocess
import sys

HEAVY = (
    "dagster",
    "great_expectations",
    "pandas",
    "polars",
    "duckdb",
    "pyarrow",
    "pyiceberg",
    "sqlglot",
    "fastapi",
    "confluent_kafka",
)


def loaded_after(statement: str) -> set[str]:
    code = f"{statement}\nimport sys\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return {name.split(".")[0] for name in done.stdout.split()}


def test_importing_hanse_loads_nothing_heavy() -> None:
    assert loaded_after("import hanse, hanse.errors, hanse.settings, hanse.bootstrap") & set(HEAVY) == set()


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys; sys.argv = ['hanse', '--help']\n"
        "from hanse.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass"
    )
    assert loaded_after(code) & set(HEAVY) == set()
