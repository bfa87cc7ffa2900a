"""Segments: saved rules, and who meets them."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.orm import Session

from mailer.accounts.record import record
from mailer.accounts.rights import Actor, Right, needs
from mailer.audience import segments
from mailer.audience.segments import Look
from mailer.content.course_words import SLUG
from mailer.db import business_now
from mailer.errors import Refused
from mailer.models import Segment
from mailer.rules import parse, sentence


@dataclass(frozen=True)
class SegmentShown:
    """A segment, with its rule as people would say it: "who …"."""

    slug: str
    title: str
    rule: str
    means: str


@needs(Right.SEE)
def list_segments(session: Session, _: Actor) -> list[SegmentShown]:
    """All of them, by their slugs."""
    return [_shown(one) for one in segments.list_segments(session)]


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


@needs(Right.WRITE)
def put_segment(session: Session, actor: Actor, slug: str, rule: str, title: str) -> SegmentShown:
    """Save a rule as a segment, or give a segment another rule; raises BadRule or Refused."""
    if not SLUG.fullmatch(slug):
        raise Refused(f"{slug!r} is not a slug; use small letters, digits and hyphens, as in keen-readers.")
    saved = segments.save_segment(session, slug, rule, title, business_now(session))
    record(session, actor, "segment put", 1, segment=slug)
    return _shown(saved)


@needs(Right.WRITE)
def remove_segment(session: Session, actor: Actor, slug: str) -> None:
    """Forget it; nobody who is in it is touched. Raises NotFound, or Refused while it is made use of."""
    segments.remove_segment(session, slug)
    record(session, actor, "segment remove", 1, segment=slug)


def _shown(one: Segment) -> SegmentShown:
    return SegmentShown(one.slug, one.title, one.rule, f"who {sentence(parse(one.rule))}")
