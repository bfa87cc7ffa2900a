"""Segments: saved rules, and who meets them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy.orm import Session

from mailer.accounts.record import record
from mailer.accounts.rights import Actor, Right, needs
from mailer.audience import segments
from mailer.audience.segment_choices import Choices, text_of_rows
from mailer.audience.segment_choices import choices as all_choices
from mailer.audience.segment_glance import Glance, glance
from mailer.audience.segments import Look, Use
from mailer.content.course_words import SLUG
from mailer.db import business_now
from mailer.errors import Refused
from mailer.models import Segment
from mailer.rules import parse, sentence
from mailer.rules.rows import Rows, rows_of
from mailer.seen import refuse_unseen, seen_of


@dataclass(frozen=True)
class SegmentShown:
    """A segment, with its rule as people would say it: "who …"; and the approved campaigns that the change of
    it has asked again for a second person's yes."""

    slug: str
    title: str
    rule: str
    means: str
    changed_at: datetime
    asked_again: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """What tells whether it is as it was seen."""
        return seen_of(self.title, self.rule)


@dataclass(frozen=True)
class Tried:
    """A rule that is being written: its text, what it means ("who …"), and who meets it."""

    rule: str
    means: str
    glance: Glance


@needs(Right.SEE)
def list_segments(
    session: Session, _: Actor, after: str = "", limit: int | None = None
) -> list[SegmentShown]:
    """All of them, by their slugs; or `limit` at most, those after the slug `after`."""
    return [_shown(one) for one in segments.list_segments(session, after, limit)]


@needs(Right.SEE)
def show_segment(session: Session, _: Actor, slug: str) -> SegmentShown:
    """One of them; raises NotFound."""
    return _shown(segments.get_segment(session, slug))


@needs(Right.SEE)
def look_at_segment(session: Session, _: Actor, slug: str, sample: int = 0) -> Look:
    """How many meet its rule now, and the first few of them; raises NotFound or BadRule."""
    return segments.look_at(session, segments.rule_of(session, slug), business_now(session), sample)


@needs(Right.SEE)
def try_rule(session: Session, _: Actor, rule: str, sample: int = 0) -> tuple[str, Look]:
    """What a rule means, and who meets it, saving nothing; raises BadRule."""
    whole = segments.checked(session, rule)
    return sentence(parse(rule)), segments.look_at(session, whole, business_now(session), sample)


@needs(Right.SEE)
def glance_at_segment(session: Session, _: Actor, slug: str) -> Glance:
    """Roughly the same within a second or two, however many people there are; raises NotFound or BadRule."""
    return glance(session, segments.rule_of(session, slug), business_now(session))


@needs(Right.SEE)
def uses_of_segment(session: Session, _: Actor, slug: str) -> list[Use]:
    """What asks for it."""
    return segments.uses(session, slug)


@needs(Right.SEE)
def choices(session: Session, _: Actor, without: str = "") -> Choices:
    """What a rule may name; the segment `without` is not among it."""
    return all_choices(session, without)


@needs(Right.SEE)
def as_rows(session: Session, _: Actor, rule: str) -> Rows | None:
    """A rule as rows; None when they cannot show it. Raises BadRule."""
    return rows_of(parse(rule), all_choices(session).fields)


@needs(Right.SEE)
def as_text(session: Session, _: Actor, rows: Rows) -> str:
    """The rule that rows say; raises BadRows, which names them, or BadRule."""
    return text_of_rows(session, rows)


@needs(Right.SEE)
def try_quickly(session: Session, _: Actor, rule: str, instead_of: str = "") -> Tried:
    """What a rule means and who meets it, also beside that of the segment `instead_of`; raises BadRule."""
    whole = segments.checked(session, rule)
    before = segments.rule_of(session, instead_of) if instead_of else None
    looked = glance(session, whole, business_now(session), before=before)
    return Tried(rule, f"who {sentence(parse(rule))}", looked)


@needs(Right.WRITE)
def add_segment(session: Session, actor: Actor, slug: str, rule: str, title: str) -> SegmentShown:
    """A new one; raises BadRule, or Refused when there is one of this slug."""
    if segments.find_segment(session, slug):
        raise Refused(f"There is a segment {slug} already; change that one, or take another name.")
    return put_segment(session, actor, slug, rule, title)


@needs(Right.WRITE)
def put_segment(
    session: Session, actor: Actor, slug: str, rule: str, title: str, seen: str = ""
) -> SegmentShown:
    """Save a rule as a segment, or give a segment another rule; raises BadRule, or Refused, also when it is
    not as it was `seen` (SegmentShown.digest) any more."""
    if not SLUG.fullmatch(slug):
        raise Refused(f"{slug!r} is not a slug; use small letters, digits and hyphens, as in keen-readers.")
    known = segments.find_segment(session, slug, for_update=True)
    if known is not None:
        refuse_unseen(seen, known.title, known.rule)
    saved = segments.save_segment(session, slug, rule, title, business_now(session))
    record(session, actor, "segment put", 1, segment=slug)
    return replace(_shown(saved.segment), asked_again=tuple(saved.asked_again))


@needs(Right.WRITE)
def remove_segment(session: Session, actor: Actor, slug: str) -> None:
    """Forget it; nobody who is in it is touched. Raises NotFound, or Refused while it is made use of."""
    segments.remove_segment(session, slug)
    record(session, actor, "segment remove", 1, segment=slug)


def _shown(one: Segment) -> SegmentShown:
    return SegmentShown(one.slug, one.title, one.rule, f"who {sentence(parse(one.rule))}", one.changed_at)
