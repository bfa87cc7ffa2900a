"""A Markdown file with some settings or its text written anew; every other line stays as it was written."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import yaml

from mailer.content.front_matter import FRONT_MATTER
from mailer.errors import Refused

QUOTED = ("subject", "preheader", "send_time", "when", "disclaimer")

Value = str | int | bool | Sequence[str] | Mapping[str, object] | None
"""A setting's new value, settings of its own among them; None takes the setting out."""


def changed_file(text: str, settings: Mapping[str, Value], body: str | None = None) -> str:
    """`text`, a whole file, with these settings, and with this body when it is not None.

    Raises Refused when its front matter has no end, for nothing could be changed there safely.
    """
    text = plain_lines(text)
    found = FRONT_MATTER.match(text)
    if found is None:
        raise Refused("The front matter is not closed; write a line --- where it ends, then change it here.")
    matter = found[1].removesuffix("\n").split("\n") if found[1] else []
    for name, value in settings.items():
        matter = _with_setting(matter, name, value)
    return "\n".join(["---", *matter, "---", text[found.end() :] if body is None else body])


def typed_file(saved: str, fields: Mapping[str, str], numbers: Collection[str] = ()) -> str:
    """The file as an editor's form says it: whole (`file`), or its settings (`set_…`) and its `body` apart.

    Settings that are not said anew stay as they are written. Raises Refused as `changed_file` does.
    """
    if "file" in fields:
        return plain_lines(fields["file"])
    before = settings_of(saved) or {}
    changes: dict[str, Value] = {}
    for field, value in fields.items():
        if not field.startswith("set_"):
            continue
        setting, said = field.removeprefix("set_"), " ".join(value.split())
        if said != before.get(setting, ""):
            is_number = setting in numbers and said.isdecimal()
            changes[setting] = None if not said else int(said) if is_number else said
    return changed_file(saved, changes, plain_lines(fields.get("body", "")).rstrip("\n") + "\n")


def plain_lines(text: str) -> str:
    """The text without a byte order mark, its lines ended plainly: how files are read."""
    return text.removeprefix("\ufeff").replace("\r\n", "\n")


def settings_of(text: str) -> dict[str, str] | None:
    """What the front matter of a file says in plain values, as it is written; None when it cannot be read."""
    values = all_settings_of(text)
    if values is None:
        return None
    return {name: value for name, value in values.items() if isinstance(value, str)}


def all_settings_of(text: str) -> dict[str, Any] | None:
    """The same with the settings that hold several values, or settings of their own."""
    found = FRONT_MATTER.match(text)
    if found is None:
        return None
    try:
        values = yaml.load(found[1], Loader=yaml.BaseLoader)  # noqa: S506 - it makes nothing but text
    except yaml.YAMLError:
        return None
    if not isinstance(values, dict):
        return {} if values in (None, "") else None
    return {str(name): value for name, value in values.items()}


def body_of(text: str) -> str:
    """The text below the front matter; all of it when there is none."""
    found = FRONT_MATTER.match(text)
    return text[found.end() :] if found else text


def front_matter(values: Mapping[str, Any]) -> str:
    """Front matter lines, one a setting, what a setting holds of its own indented below it."""
    return yaml.dump(
        _quoted(values), Dumper=_Dumper, allow_unicode=True, sort_keys=False, width=10_000, indent=2
    )


def _quoted(values: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            found[name] = _quoted(value)
        elif isinstance(value, str):
            found[name] = _Quoted(value) if name in QUOTED else value
        else:
            found[name] = list(value) if isinstance(value, Sequence) else value
    return found


def _with_setting(matter: list[str], name: str, value: Value) -> list[str]:
    """Front matter with one setting written anew, and the lines that its old value went on over."""
    new = [] if value is None else front_matter({name: value}).rstrip("\n").split("\n")
    start = next((at for at, line in enumerate(matter) if re.match(rf"{name}\s*:", line)), None)
    if start is None:
        return [*matter, *new]
    end = start + 1
    while end < len(matter) and not re.match(r"\S+?\s*:|#", matter[end]):
        end += 1
    return [*matter[:start], *new, *matter[end:]]


class _Quoted(str):
    """Text that stands in double quotes, so that an author may write a colon or a # into it."""


class _Dumper(yaml.SafeDumper):
    pass


_Dumper.add_representer(
    _Quoted, lambda dumper, words: dumper.represent_scalar("tag:yaml.org,2002:str", words, style='"')
)
_Dumper.add_representer(
    list,
    lambda dumper, items: dumper.represent_sequence("tag:yaml.org,2002:seq", items, flow_style=True),
)
