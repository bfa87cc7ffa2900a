"""The `steadypost` command: nouns, then verbs. Exit 0 done, 1 refused with one sentence, 2 misuse."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType
from typing import Any

import typer
from typer.core import TyperGroup

from mailer.cli.show import warn
from mailer.errors import MailerError
from mailer.starting import importing

NOUNS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "up": ("up",),
        "demo": ("demo",),
        "why": ("why",),
        "course": ("course", "simulate"),
        "schedule": ("schedule",),
        "segment": ("segment",),
        "campaign": ("campaign",),
        "clicks": ("clicks",),
        "subscriber": ("subscriber",),
        "list": ("lists",),
        "delivery": ("delivery",),
        "queue": ("queue",),
        "hold": ("hold",),
        "suppression": ("suppression",),
        "sender": ("sender",),
        "transport": ("transport",),
        "alarm": ("alarm",),
        "webhook": ("webhook",),
        "user": ("user",),
        "db": ("database",),
        "doctor": ("doctor",),
    }
)
"""Each noun's modules here: the first has its `app`, the others add verbs to that."""


class Commands(dict[str, Any]):
    """The commands by their nouns. One is imported when it is asked for: all of them take two seconds."""

    def __init__(self) -> None:
        super().__init__(dict.fromkeys(NOUNS))

    def get(self, noun: str, default: Any = None) -> Any:
        """The command of a noun."""
        if noun not in self:
            return default
        if self[noun] is None:
            with importing():
                modules = [import_module(f"mailer.cli.{name}") for name in NOUNS[noun]]
            self[noun] = typer.main.get_command(modules[0].app)
            self[noun].name = noun
        return self[noun]


class Nouns(TyperGroup):
    """The group of all nouns."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = Commands()


app = typer.Typer(
    name="steadypost",
    help="Newsletters and email courses: every lesson sent once, at the reader's hour.",
    cls=Nouns,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)


@app.callback()
def steadypost() -> None:
    """Newsletters and email courses: every lesson sent once, at the reader's hour."""


def main() -> None:
    """Run the command; a refusal is one sentence on stderr and exit code 1."""
    try:
        app()
    except MailerError as error:
        warn(str(error))
        sys.exit(1)
