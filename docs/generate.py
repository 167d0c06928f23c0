"""Writes docs/reference/cli.md and settings.md from the code: `python docs/generate.py`."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

from hanse import settings
from hanse.cli import COMMANDS, load_command

REFERENCE = Path(__file__).parent / "reference"
NOTE = "<!-- Generated: python docs/generate.py -->\n"


def cli() -> str:
    """Every command with its arguments and options, as its help tells them."""
    lines = [NOTE, "# The command line", "", "`hanse --debug …` shows the traceback of an error.", ""]
    for name, (_, summary) in COMMANDS.items():
        command = load_command(name)
        subcommands = getattr(command, "commands", None)
        lines += [f"## hanse {name}", "", summary, ""]
        if subcommands:
            for sub, found in sorted(subcommands.items()):
                lines += [f"### hanse {name} {sub}", "", *_command(found)]
        else:
            lines += _command(command)
    return "\n".join(lines).rstrip() + "\n"


def _command(command: Any) -> list[str]:
    text = inspect.cleandoc(command.help or "").replace("\f", "")
    rows = [
        _parameter(p)
        for p in command.params
        if p.name not in ("help", "install_completion", "show_completion")
    ]
    table = ["| | | default |", "|---|---|---|", *rows, ""] if rows else []
    return [text, "", *table]


def _parameter(parameter: Any) -> str:
    names = [*getattr(parameter, "opts", []), *getattr(parameter, "secondary_opts", [])]
    is_option = parameter.param_type_name == "option"
    shown = ", ".join(f"`{n}`" for n in names) if is_option else f"`{(parameter.name or '').upper()}`"
    default = parameter.default if isinstance(parameter.default, str | int | float) else None
    told = "" if default is None or isinstance(default, bool) else f"`{default}`"
    help_text = " ".join((getattr(parameter, "help", None) or "").split()).replace("|", "\\|")
    return f"| {shown} | {help_text} | {told} |"


def settings_page() -> str:
    """The table of settings, which stands in the module that reads them."""
    return f"{NOTE}\n# Settings\n\n{inspect.cleandoc(settings.__doc__ or '')}\n"


PAGES = {"cli.md": cli, "settings.md": settings_page}


def main() -> None:
    """Write the pages."""
    REFERENCE.mkdir(exist_ok=True)
    for name, page in PAGES.items():
        (REFERENCE / name).write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
