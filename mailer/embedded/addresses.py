"""Where a running stack says how it can be reached: a file that commands and pages read."""

from __future__ import annotations

import json
from pathlib import Path

FILE = "addresses.json"


def write_addresses(data_dir: Path, *, smtp_url: str | None, web: str, mailbox: str | None) -> None:
    """Note where the parts are; for this user's eyes, since an SMTP URL may hold a password."""
    path = data_dir / FILE
    path.touch(mode=0o600)
    path.write_text(json.dumps({"smtp_url": smtp_url, "web": web, "mailbox": mailbox}), encoding="utf-8")


def forget_addresses(data_dir: Path) -> None:
    """Nothing runs any more."""
    (data_dir / FILE).unlink(missing_ok=True)


def read_address(data_dir: Path, name: str) -> str | None:
    """One of `smtp_url`, `web` and `mailbox`, or None when no stack runs here or it has no such part."""
    try:
        found: str | None = json.loads((data_dir / FILE).read_text(encoding="utf-8"))[name]
    except (OSError, ValueError):
        return None
    return found
