"""Asking before something is done, and who it is that answers."""

from __future__ import annotations

import os
import pwd
import sys
from typing import Annotated

import typer

from mailer.accounts.rights import Actor, at_the_machine
from mailer.errors import Refused

Yes = Annotated[bool, typer.Option("--yes", help="Do not ask first.")]


def ask_first(question: str, *, yes: bool) -> None:
    """Go on only when a person agrees, or has said --yes; raises Refused when there is nobody to ask."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise Refused(f"{question} There is no terminal to ask on; say --yes.")
    typer.confirm(question, abort=True)


def operator() -> str:
    """Who is at the command line, for the action log: the name that the system gives this process's user."""
    number = os.getuid()
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"user {number}"


def actor() -> Actor:
    """The same as whoever calls of the desk are made for."""
    return at_the_machine(operator())
