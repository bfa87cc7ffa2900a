"""What a course folder remembers of the guide it was imported from: `.import.json`."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mailer.content.course_folder import StepKind
from mailer.errors import Refused

MEMORY_FILE = ".import.json"
VERSION = 1


@dataclass(frozen=True)
class RememberedStep:
    """A step as the guide gave it last: the base that the guide's and the author's changes are told from.

    `is_gone` marks a step whose section the guide lost while the author had edited its file.
    """

    key: str
    file: str
    kind: StepKind
    heading: str
    subject: str
    preheader: str
    body: str
    day: int
    send_time: str
    week: int | None = None
    is_gone: bool = False

    @property
    def text(self) -> str:
        """The body without its heading, by which sections are recognised."""
        return text_below_heading(self.body)


@dataclass(frozen=True)
class Memory:
    """`course` holds the settings that came from the guide; `days` what the last import was asked for."""

    source: str
    sha256: str
    days: int
    course: dict[str, str]
    steps: tuple[RememberedStep, ...]

    def to_json(self) -> str:
        return json.dumps({"version": VERSION, **asdict(self)}, ensure_ascii=False, indent=1) + "\n"


def text_below_heading(body: str) -> str:
    """A body's words below its first line, the `# Heading`."""
    return " ".join(body.partition("\n")[2].split())


def recall(folder: Path) -> Memory | None:
    """The folder's memory; None when it has none. Raises Refused when it cannot be read."""
    path = folder / MEMORY_FILE
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        if data["version"] != VERSION:
            raise ValueError(f"version {data['version']}")
        steps = tuple(_step(values) for values in data["steps"])
        course = {str(name): str(value) for name, value in data["course"].items()}
        return Memory(str(data["source"]), str(data["sha256"]), int(data["days"]), course, steps)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise Refused(
            f"{path} cannot be read, so what was imported last is not known; restore it, "
            "or import into a new folder with --out."
        ) from error


def _step(values: dict[str, Any]) -> RememberedStep:
    return RememberedStep(**{**values, "kind": StepKind(values["kind"])})
