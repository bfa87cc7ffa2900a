"""The user as whom PostgreSQL runs when Steadypost was started by root, whom PostgreSQL refuses."""

from __future__ import annotations

import os
import pwd
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from mailer.errors import Refused

CANDIDATES = ("postgres", "nobody")


@dataclass(frozen=True)
class Account:
    """A user of this machine, by name and numbers."""

    name: str
    uid: int
    gid: int


class BecomeArguments(TypedDict, total=False):
    """Arguments of subprocess.Popen that change the user of a child."""

    user: int
    group: int
    extra_groups: list[int]


def become(account: Account | None) -> BecomeArguments:
    """The arguments of subprocess that run a command as `account`; none when it is None."""
    if account is None:
        return {}
    return {"user": account.uid, "group": account.gid, "extra_groups": []}


def server_account(folder: Path) -> Account | None:
    """Whom to become for a server on `folder`; None means to stay who we are.

    Root becomes the owner of data that is there already, else the first of CANDIDATES. Anybody else
    can serve only what is theirs; raises Refused when `folder` is somebody else's.
    """
    owner = folder.stat().st_uid if folder.exists() else None
    if os.geteuid() != 0:
        if owner not in (None, os.geteuid()):
            raise Refused(
                f"{folder} belongs to the user {_name(owner)}; start Steadypost as the user who started it "
                "first, or set STEADYPOST_DATA_DIR to another folder"
            )
        return None
    if owner:
        return Account(_name(owner), owner, folder.stat().st_gid)
    for name in CANDIDATES:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)
    raise Refused(
        "PostgreSQL does not run as root, and this machine has no user postgres or nobody to run it as; "
        "start Steadypost as an ordinary user, or set STEADYPOST_DATABASE_URL to a server of yours"
    )


def first_closed_folder(path: Path, account: Account) -> Path | None:
    """The first folder on the way to `path`, from the top, that is there and closed to `account`."""
    return _first_failing(
        "-x", [folder for folder in [*reversed(path.parents), path] if folder.exists()], account
    )


def can_run(programs: Sequence[Path], files: Sequence[Path], account: Account) -> bool:
    """Whether `account` can run `programs` (with the libraries they need) and read `files`."""
    for program in programs:
        try:
            command = [str(program), "--version"]
            subprocess.run(command, capture_output=True, cwd="/", check=True, **become(account))
        except (OSError, subprocess.SubprocessError):
            return False
    return _first_failing("-r", files, account) is None


def _first_failing(test: str, paths: Sequence[Path], account: Account) -> Path | None:
    # The kernel is asked, as that user: mode bits alone would miss access lists and group memberships.
    script = f'for path; do [ {test} "$path" ] || {{ printf %s "$path"; exit 1; }}; done'
    try:
        answer = subprocess.run(
            ["/bin/sh", "-c", script, "sh", *map(str, paths)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            cwd="/",
            check=False,
            **become(account),
        )
    except (OSError, subprocess.SubprocessError):
        raise Refused(
            f"PostgreSQL does not run as root, and this machine does not let root become {account.name}; "
            "start Steadypost as an ordinary user, or set STEADYPOST_DATABASE_URL to a server of yours"
        ) from None
    return Path(os.fsdecode(answer.stdout)) if answer.returncode else None


def _name(uid: int | None) -> str:
    try:
        return pwd.getpwuid(uid).pw_name if uid is not None else "nobody"
    except KeyError:
        return str(uid)
