"""A campaign as it is written: its files and pictures as values, the same on the desk and in a folder."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from mailer.content.campaign_file import AIM, CHOSEN
from mailer.content.file_edit import Value, all_settings_of, changed_file, front_matter, plain_lines
from mailer.content.front_matter import FRONT_MATTER
from mailer.errors import NotFound, Refused

NAME = re.compile(r"[A-Za-z0-9][\w .-]{0,99}\.(?:md|markdown|mjml)")
MOST_FILES = 40
MOST_TEXT = 500_000
"""Characters of one file: a mail of a tenth of it would be cut off by Gmail."""

STARTING = """
# {subject}

{{{{ greeting }}}}

Say in the first lines what this is about, and what it is good for.

## One thing at a time

Short paragraphs are read; long ones are put off. A [link](https://example.org) says where it leads.

Until next time,
{{{{ sender.name }}}}
"""
STARTING_MJML = """
<mjml>
  <mj-body background-color="#ffffff">
    <mj-section>
      <mj-column>
        <mj-text font-size="24px">{subject}</mj-text>
        <mj-text>{{{{ greeting }}}}</mj-text>
        <mj-text>Say in the first lines what this is about.</mj-text>
      </mj-column>
    </mj-section>
    <mj-section>
      <mj-column>
        <mj-text>{{{{ sender.postal_address }}}}</mj-text>
        <mj-text><a href="{{{{ links.unsubscribe }}}}">Unsubscribe</a></mj-text>
      </mj-column>
    </mj-section>
  </mj-body>
</mjml>
"""


@dataclass(frozen=True)
class File:
    """One file. One that is a `part` is the text of a variant, without front matter."""

    name: str
    text: str
    is_part: bool = False

    @property
    def digest(self) -> str:
        """A fingerprint of its text."""
        return hashlib.sha256(self.text.encode()).hexdigest()


@dataclass(frozen=True)
class CampaignText:
    """The files, the first one leading; `pictures` has the published name of each by how a text names it."""

    files: tuple[File, ...]
    pictures: Mapping[str, str] = field(default_factory=dict)

    @property
    def first(self) -> File:
        return self.files[0]

    @property
    def mails(self) -> tuple[File, ...]:
        """The campaign's file and its translations."""
        return tuple(one for one in self.files if not one.is_part)

    @property
    def digest(self) -> str:
        """A fingerprint of all of it."""
        said = [[one.name, one.text, one.is_part] for one in self.files], dict(sorted(self.pictures.items()))
        return hashlib.sha256(json.dumps(said).encode()).hexdigest()

    @property
    def settings(self) -> Mapping[str, object]:
        """What the first file's front matter says; nothing while it cannot be read."""
        return all_settings_of(self.first.text) or {}

    @property
    def chosen(self) -> Mapping[str, tuple[str, ...]]:
        """The lists and the aim that the settings say, each as several slugs."""
        found: dict[str, tuple[str, ...]] = {}
        for name in CHOSEN:
            value = self.settings.get(name)
            several = value if isinstance(value, list) else [value] if value else []
            found[name] = tuple(map(str, several))
        return found

    def get(self, name: str) -> File:
        """The file of this name; raises NotFound."""
        found = next((one for one in self.files if one.name == name), None)
        if found is None:
            raise NotFound(f"The campaign has no file {name!r}.")
        return found

    def with_file(self, name: str, text: str, *, is_part: bool = False) -> CampaignText:
        """With this file written anew, or beside the others; raises Refused for what is no file of ours."""
        new = File(name, checked_text(name, text), is_part)
        known = [one.name for one in self.files]
        if name in known:
            old = self.get(name)
            return replace(
                self,
                files=tuple(replace(new, is_part=old.is_part) if one is old else one for one in self.files),
            )
        if len(known) >= MOST_FILES:
            raise Refused(f"A campaign has at most {MOST_FILES} files.")
        return replace(self, files=(*self.files, new))

    def without_file(self, name: str) -> CampaignText:
        """Without it; raises NotFound, or Refused for the file that leads."""
        if self.get(name) is self.first:
            raise Refused("The first file says whom the campaign is for; it stays.")
        return replace(self, files=tuple(one for one in self.files if one.name != name))

    def with_settings(self, settings: Mapping[str, Value]) -> CampaignText:
        """With these settings of the first file; raises Refused when its front matter has no end."""
        return self.with_file(self.first.name, changed_file(self.first.text, settings))


def checked_text(name: str, text: str) -> str:
    """A file's text as it is kept; raises Refused for a name or a length that cannot be."""
    if not NAME.fullmatch(name):
        raise Refused(f"{name[:100]!r} is no name of a text; it has letters and digits and ends in .md.")
    if len(text) > MOST_TEXT:
        raise Refused(f"{name} is longer than {MOST_TEXT:,} characters, too long for a mail.")
    # PostgreSQL keeps everything but this one.
    return plain_lines(text).replace("\0", "")


def starting_text(slug: str, subject: str, lists: list[str], *, is_mjml: bool = False) -> CampaignText:
    """A campaign to begin with: its settings, and a text that says what goes where."""
    matter = front_matter({"slug": slug, "subject": subject, "preheader": "", "lists": lists})
    body = (STARTING_MJML if is_mjml else STARTING).format(subject=subject.replace("<", "&lt;"))
    name = f"{slug}.{'mjml' if is_mjml else 'md'}"
    return CampaignText((File(name, f"---\n{matter}---\n{body}"),))


def copied(text: CampaignText, slug: str) -> CampaignText:
    """The same for another campaign of this slug."""
    was = str(text.settings.get("slug", ""))
    files = []
    for one in text.files:
        named = f"{slug}{one.name.removeprefix(was)}" if was and one.name.startswith(was) else one.name
        if one.is_part or FRONT_MATTER.match(one.text) is None:
            files.append(one)
        else:
            files.append(File(named, changed_file(one.text, {"slug": slug})))
    return replace(text, files=tuple(files))


def leading_first(files: Mapping[str, str]) -> tuple[File, ...]:
    """Files in their order: first the one that says whom it is for, then its translations, then the parts.

    Raises Refused when none has front matter.
    """
    mails = {name: all_settings_of(text) for name, text in files.items() if text.startswith("---")}
    if not mails:
        raise Refused("No file has front matter; begin one with a `---` block with slug, subject and lists.")

    def place(name: str) -> tuple[bool, str]:
        said = mails[name] or {}
        return not any(setting in said for setting in ("lists", *AIM)), name

    ordered = sorted(mails, key=place)
    parts = [File(name, text, is_part=True) for name, text in sorted(files.items()) if name not in mails]
    return (*(File(name, files[name]) for name in ordered), *parts)


def as_variant(text: CampaignText, name: str) -> CampaignText:
    """What the variant of this letter says, as a campaign without variants; `a` is the file itself."""
    files = []
    for one in text.mails:
        variants = (all_settings_of(one.text) or {}).get("variants")
        said = variants.get(name) if isinstance(variants, dict) else None
        said = said if isinstance(said, dict) else {}
        settings: dict[str, Value] = dict.fromkeys(("variants", "test", "canary"))
        settings |= {key: said[key] for key in ("subject", "preheader", "sender") if key in said}
        body = text.get(said["file"]).text if "file" in said else None
        files.append(replace(one, text=changed_file(one.text, settings, body)))
    return replace(text, files=tuple(files))
