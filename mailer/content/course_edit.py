"""A course.toml with some settings written anew: its comments, its order and all else stay."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError

from mailer.content.course_toml import COURSE_FILE
from mailer.content.guide.folder import toml_text
from mailer.errors import Refused

SENDER = ("name", "email", "postal_address", "reply_to")


def changed_course(text: str, changes: Mapping[str, str | int]) -> str:
    """`text` with these settings; those of the sender are called `sender.name` and so on.

    A setting that stands already keeps its place and comment; one that is empty and was not there is not
    added. Raises Refused when the file cannot be read.
    """
    try:
        toml = tomlkit.parse(text)
    except TOMLKitError as error:
        raise Refused(
            f"course.toml cannot be read ({error}); mend it as text, then change it here."
        ) from None
    for name, value in changes.items():
        section, _, inner = name.rpartition(".")
        if section and section not in toml:
            toml.add(section, tomlkit.table())
        table: Any = toml[section] if section else toml
        key = inner if section else name
        if key not in table and value == "":
            continue
        if table.get(key) != value:
            _put(table, key, value)
    return tomlkit.dumps(toml)


def slug_in(toml: bytes) -> str:
    """The slug that a course.toml says; raises Refused when it cannot be read or has none."""
    try:
        slug = tomllib.loads(toml.decode("utf-8-sig")).get("slug")
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise Refused(f"{COURSE_FILE} cannot be read ({error}); mend it, then bring it again.") from None
    if not isinstance(slug, str) or not slug:
        raise Refused(f'{COURSE_FILE} has no slug; write slug = "…" in it.')
    return slug


def _put(table: Any, key: str, value: str | int) -> None:
    new = toml_text(value) if isinstance(value, str) else tomlkit.item(value)
    if key in table:
        old = table.item(key) if hasattr(table, "item") else table[key]
        if getattr(old, "trivia", None) and old.trivia.comment:
            new.comment(old.trivia.comment.lstrip("# "))
    table[key] = new
