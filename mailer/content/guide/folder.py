"""The files of a course folder as text: `course.toml` and the steps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import tomlkit

from mailer.content.course_folder import OptIn
from mailer.content.file_edit import front_matter
from mailer.content.guide.steps import Draft

SEND_TIME = "08:00"
ZONE = "Etc/UTC"


@dataclass(frozen=True)
class Header:
    """What `course.toml` takes from the guide."""

    slug: str
    title: str
    subtitle: str
    language: str
    disclaimer: str
    days: int

    def from_guide(self) -> dict[str, str]:
        """The settings that follow the guide when it is imported again. The slug never changes."""
        return {
            "title": self.title,
            "subtitle": self.subtitle,
            "language": self.language,
            "list_title": self.title,
            "consent": f"I agree to receive the email course “{self.title}” by email. "
            "I can unsubscribe at any time with the link in every mail.",
            "disclaimer": self.disclaimer,
        }


def course_toml(header: Header) -> str:
    """A new course.toml; its comments say what is left to fill in."""
    texts = header.from_guide()
    toml = tomlkit.document()
    toml.add("slug", tomlkit.item(header.slug))
    for name in ("title", "subtitle", "language"):
        toml.add(name, toml_text(texts[name]))
    toml.add("zone", tomlkit.item(ZONE).comment("for people whose own time zone is not known"))
    toml.add("list", tomlkit.item(header.slug).comment("the list that people sign up to"))
    toml.add("list_title", toml_text(texts["list_title"]))
    toml.add("opt_in", tomlkit.item(str(OptIn.DOUBLE)).comment("or single"))
    toml.add("consent", toml_text(texts["consent"]))
    toml.add("days", tomlkit.item(header.days))
    toml.add("send_time", tomlkit.item(SEND_TIME).comment("the reader's own local time"))
    toml.add(tomlkit.comment("Put under every mail, so it does not stand in the steps."))
    toml.add("disclaimer", toml_text(texts["disclaimer"]))
    sender = tomlkit.table()
    sender.add(tomlkit.comment("Fill these in: `steadypost course check` will ask for them."))
    for name in ("name", "email", "postal_address", "reply_to"):
        sender.add(name, tomlkit.item(""))
    toml.add("sender", sender)
    return tomlkit.dumps(toml)


def toml_text(words: str) -> tomlkit.items.String:
    """Words as a TOML string, over several lines where they have several."""
    return tomlkit.string(words, multiline="\n" in words)


def changed_toml(text: str, changes: Mapping[str, str | int]) -> str:
    """The author's course.toml with some settings changed; comments and order stay."""
    toml = tomlkit.parse(text)
    for name, value in changes.items():
        toml[name] = toml_text(value) if isinstance(value, str) else tomlkit.item(value)
    return tomlkit.dumps(toml)


def step_file(draft: Draft, key: str, day: int) -> str:
    """A new step's file: front matter, then the Markdown body."""
    matter: dict[str, str | int] = {
        "key": key,
        "subject": draft.subject,
        "preheader": draft.preheader,
        "kind": str(draft.kind),
        "day": day,
        "send_time": SEND_TIME,
    }
    if draft.week is not None:
        matter["week"] = draft.week
    return f"---\n{front_matter(matter)}---\n{draft.body}"


def file_name(order: int, key: str) -> str:
    """ "07-light-and-dark.md" """
    return f"{order:02d}-{key}.md"
