"""One step of a changed guide brought together with its author's file."""

from __future__ import annotations

from dataclasses import dataclass, replace

from mailer.content.course_folder import StepSource
from mailer.content.file_edit import changed_file
from mailer.content.guide.differences import three_way
from mailer.content.guide.memory import RememberedStep
from mailer.content.guide.report import Fate
from mailer.content.guide.steps import Draft
from mailer.content.step_file import SETTINGS

OWN_SETTINGS = frozenset(SETTINGS) - {"key", "subject", "preheader", "kind", "day", "send_time", "week"}
"""What a guide never says of a step, so that it can only be its author's."""


@dataclass(frozen=True)
class Merged:
    """`text` is the file's new text, None where it stays; `subject` is what it then says.

    `remembered` is the base from which the next import tells who changed what.
    """

    fate: Fate
    remembered: RememberedStep
    subject: str
    text: str | None = None
    difference: str = ""


def merge_step(base: RememberedStep, draft: Draft, mine: StepSource | None) -> Merged:
    """The author's changes stay. The guide's are taken where the author changed nothing.

    Where both changed the body the whole file stays as it is. The new text becomes the base in any
    case, so that a conflict is told once and the next import of the same guide finds it settled.
    """
    remembered = replace(
        base,
        file=mine.path.name if mine else base.file,
        key=mine.key if mine else base.key,
        heading=draft.heading,
        subject=draft.subject,
        preheader=draft.preheader,
        body=draft.body,
        is_gone=False,
    )
    guide_changed = not same_text(draft.body, base.body)
    if mine is None:
        if not guide_changed:
            return Merged(Fate.KEPT, remembered, base.subject)
        difference = three_way(base.file, base=base.body, guide=draft.body, author=None)
        return Merged(Fate.CONFLICT, remembered, base.subject, difference=difference)
    if guide_changed and not same_text(mine.body, base.body) and not same_text(mine.body, draft.body):
        difference = three_way(mine.path.name, base=base.body, guide=draft.body, author=mine.body)
        return Merged(Fate.CONFLICT, remembered, mine.subject, difference=difference)
    return _taken(base, draft, mine, remembered)


def _taken(base: RememberedStep, draft: Draft, mine: StepSource, remembered: RememberedStep) -> Merged:
    """The file with all that the guide changed and the author did not."""
    settings: dict[str, str] = {}
    differences = []
    for name in ("subject", "preheader"):
        before, now, own = getattr(base, name), getattr(draft, name), getattr(mine, name)
        if now not in (before, own):
            if own == before:
                settings[name] = now
            elif name == "subject":
                place = f"{mine.path.name}, subject"
                differences.append(three_way(place, base=before, guide=now, author=own))
    body = draft.body if not same_text(draft.body, mine.body) and same_text(mine.body, base.body) else None
    if settings or body is not None:
        text = with_changes(mine, settings, body)
        subject = settings.get("subject", mine.subject)
        return Merged(Fate.UPDATED, remembered, subject, text, "\n".join(differences))
    fate = Fate.KEPT if is_edited(remembered, mine) else Fate.UNCHANGED
    return Merged(fate, remembered, mine.subject, difference="\n".join(differences))


def is_edited(base: RememberedStep, mine: StepSource) -> bool:
    """Whether the author changed anything in the step since the guide gave it."""
    settings = (mine.key, mine.subject, mine.preheader, mine.kind, mine.day, mine.week)
    given = (base.key, base.subject, base.preheader, base.kind, base.day, base.week)
    if mine.translations or not OWN_SETTINGS.isdisjoint(mine.lines):
        return True
    same_time = f"{mine.send_time:%H:%M}" == base.send_time
    return settings != given or not same_time or not same_text(mine.body, base.body)


def same_text(one: str, other: str) -> bool:
    """Whether two bodies differ in nothing but white space at the ends of lines and of the whole."""
    return _bare(one) == _bare(other)


def _bare(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.strip().splitlines())


def with_changes(mine: StepSource, settings: dict[str, str], body: str | None) -> str:
    """The author's file with these settings and this body; every other line stays as it was written."""
    return changed_file(mine.path.read_text(encoding="utf-8"), settings, body)
