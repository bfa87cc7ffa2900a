"""What is about to go out, as the preflight looks at it: its mails, how they are made, and to which lists."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import select, true
from sqlalchemy.orm import Session

from mailer.audience.aim import Aim
from mailer.content.compile import CompiledMessage
from mailer.content.course_source import SenderSource
from mailer.content.trial import Trial
from mailer.delivery.claim import Claimed, SenderFacts, Setting
from mailer.delivery.compose import Composer, CourseFacts
from mailer.delivery.messages import Published, published
from mailer.errors import Refused
from mailer.launch.ahead import Ahead, ahead
from mailer.launch.campaign_check import CompiledCampaign, aim_of
from mailer.launch.check import CompiledCourse
from mailer.links import Signer
from mailer.models import Course, DeliveryKind, Lane, MailingList, Sender, Step, StepKind
from mailer.render.personalize import Templates
from mailer.schedule.campaigns import get_campaign
from mailer.schedule.courses import get_course

EVERYBODY = Aim()
TITLE = re.compile(r"^# (.+)$", re.MULTILINE)
NUMBER = 0
"""The id, in a mailing that is only looked at, of its list, its sender and its course."""
NO_LIST = "None of the lists that it goes to is there any more; name others."


@dataclass(frozen=True)
class Draft:
    """One mail: `place` is its file, or its key once it is published.

    `body` is the author's text from line `first_line` on, empty when only the published mail is known.
    `lesson`, `week` and `day` are where its reader stands in a course, with how many there are of each;
    `course` is its slug, and `ahead` what of it comes later.
    """

    place: str
    language: str
    templates: Templates
    body: str = ""
    first_line: int = 0
    lesson: tuple[int, int] | None = None
    week: tuple[int, int] | None = None
    day: tuple[int, int] | None = None
    course: str = ""
    ahead: tuple[Ahead, ...] = ()

    def line_of(self, words: str) -> int:
        """The line that these words stand on; 0 when that is not known."""
        at = self.body.find(words)
        return self.first_line + self.body.count("\n", 0, at) if at >= 0 and words else 0


@dataclass(frozen=True)
class Mailing:
    """Some mails to the active people of some lists, as far as `aim` is for them."""

    drafts: tuple[Draft, ...]
    list_slugs: tuple[str, ...]
    list_title: str
    sender: SenderFacts
    course: CourseFacts | None = None
    aim: Aim = EVERYBODY

    def composer(self, signer: Signer, base_url: str) -> Composer:
        """What makes these mails: the delivery's own, without anything being published."""
        messages = {
            number: Published(number, draft.language, "", draft.templates)
            for number, draft in enumerate(self.drafts)
        }
        setting = Setting(
            messages=messages,
            list_titles={NUMBER: self.list_title},
            list_senders={NUMBER: self.sender.id},
            course_zones={},
            hours={},
            senders={self.sender.id: self.sender},
            source_senders={},
        )
        return Composer(signer, base_url, setting, {1: self.course} if self.course else {})

    def row(self, number: int, now: datetime, **person: Any) -> Claimed:
        """What a worker would claim to send the mail of this number to a person."""
        return Claimed(
            id=0,
            kind=DeliveryKind.STEP if self.course else DeliveryKind.CAMPAIGN,
            lane=Lane.COURSE if self.course else Lane.CAMPAIGN,
            due_at=now,
            created_at=now,
            deferrals=0,
            cuts=0,
            crashes=0,
            subscriber_id=0,
            enrollment_id=None,
            course_id=1 if self.course else None,
            step_id=None,
            list_id=NUMBER,
            message_id=number,
            source="preflight",
            subscription_id=None,
            **person,
        )


def of_folder(compiled: CompiledCourse) -> Mailing:
    """A course folder that was checked."""
    source = compiled.source
    plain = [step for step in source.steps if step.is_plain]
    facts = CourseFacts(
        source.title,
        source.subtitle,
        source.days,
        source.zone,
        len(plain),
        min(step.day for step in source.steps),
        tuple(sorted({step.week for step in plain if step.week is not None})),
    )
    weeks = max((step.week or 0 for step, _ in compiled.steps), default=0)
    lessons = sum(step.kind == StepKind.LESSON and step.is_plain for step, _ in compiled.steps)
    known = [
        ahead(step.day, step.key, step.path.stem, [step.subject, *TITLE.findall(step.body)])
        for step, _ in compiled.steps
        # A gentler version has no day of its own.
        if not step.easier_than
    ]
    drafts, lesson, week = [], 0, 0
    for step, message in compiled.steps:
        lesson += step.kind == StepKind.LESSON and step.is_plain
        week = max(week, step.week or 0)
        drafts.append(
            Draft(
                step.path.name,
                message.language,
                _templates(message),
                step.body,
                step.body_line,
                (lesson, lessons),
                # A week without a mail of its own has no number to be held against.
                (week, weeks) if step.week else None,
                (step.day, source.days),
                source.slug,
                _later(known, step.day),
            )
        )
    return Mailing(tuple(drafts), (source.list_slug,), source.list_title, _sender_facts(source.sender), facts)


def of_course(session: Session, slug: str) -> Mailing:
    """A published course as it is; raises NotFound."""
    course: Course = get_course(session, slug)
    list_ = session.get_one(MailingList, course.list_id)
    columns = Step.key, Step.kind, Step.day, Step.week, Step.message_id, Step.subject
    chosen = select(*columns, Step.instead_of, Step.easier_than).where(
        Step.course_id == course.id, Step.retired_at.is_(None)
    )
    steps = session.execute(chosen.order_by(Step.day, Step.id)).all()
    messages = published(session, {step.message_id for step in steps})
    lessons, lesson = sum(step.kind == StepKind.LESSON for step in steps), 0
    known = [ahead(step.day, step.key, titles=[step.subject]) for step in steps if not step.easier_than]
    drafts = []
    for step in steps:
        lesson += step.kind == StepKind.LESSON
        message = messages[step.message_id]
        at = (step.day, course.days)
        place = f"{slug}/{step.key}"
        draft = Draft(place, message.language, message.templates, lesson=(lesson, lessons), day=at)
        drafts.append(replace(draft, course=slug, ahead=_later(known, step.day)))
    first_day = min((step.day for step in steps), default=1)
    plain = [step for step in steps if not (step.instead_of or step.easier_than)]
    weeks = tuple(sorted({step.week for step in plain if step.week is not None}))
    facts = CourseFacts(course.title, course.subtitle, course.days, course.zone, len(plain), first_day, weeks)
    sender = _facts(session.get_one(Sender, course.sender_id))
    return Mailing(tuple(drafts), (list_.slug,), list_.title, sender, facts)


def of_files(session: Session, compiled: CompiledCampaign) -> Mailing:
    """A campaign's files that were checked; raises Refused when there is no list."""
    source = compiled.source
    # A campaign that names no lists is for the people of all of them.
    lists = _lists(session, MailingList.slug.in_(source.lists) if source.lists else true())
    if not lists:
        raise Refused(NO_LIST)
    first = next((one for one in lists if one.slug in source.lists[:1]), lists[0])
    if isinstance(source.sender, SenderSource):
        sender = _sender_facts(source.sender)
    elif source.sender:
        sender = _facts(session.execute(select(Sender).where(Sender.slug == source.sender)).scalar_one())
    else:
        sender = _facts(session.get_one(Sender, first.sender_id))
    written = (source, *compiled.translations)
    bodies = {one.language: (one.path.name, one.body, one.body_line) for one in written}
    drafts = []
    for message in compiled.messages:
        unknown = (f"{source.slug} ({message.language})", "", 0)
        place, body, line = bodies.get(message.language, unknown)
        drafts.append(Draft(place, message.language, _templates(message), body, line))
    for variant in compiled.variants:
        for message, file in zip(variant.messages, variant.files, strict=True):
            said = file.path.name, file.body, file.body_line
            if file.path in {one.path for one in written}:
                # Its text is A's, of which everything is told already.
                said = f"{source.slug} {variant.source.name.upper()} ({message.language})", "", 0
            place, body, line = said
            drafts.append(Draft(place, message.language, _templates(message), body, line))
    slugs = tuple(one.slug for one in lists)
    return Mailing(tuple(drafts), slugs, first.title, sender, aim=aim_of(source))


def of_campaign(session: Session, slug: str) -> Mailing:
    """A campaign as its draft is; raises NotFound, or Refused when none of its lists is there any more."""
    campaign = get_campaign(session, slug)
    is_named = MailingList.id.in_(campaign.list_ids) if campaign.list_ids else true()
    lists = {one.id: one for one in _lists(session, is_named)}
    ids = [one for one in campaign.list_ids or sorted(lists) if one in lists]
    if not ids:
        raise Refused(NO_LIST)
    trial = Trial.of(campaign.trial)
    names = dict.fromkeys(campaign.messages.values(), slug)
    for variant in trial.variants[1:] if trial else ():
        names |= dict.fromkeys(variant.messages.values(), f"{slug} {variant.letter}")
    messages = published(session, set(names))
    drafts = tuple(
        Draft(f"{names[id_]} ({message.language})", message.language, message.templates)
        for id_, message in sorted(messages.items())
    )
    sender = _facts(session.get_one(Sender, campaign.sender_id))
    slugs = tuple(lists[id_].slug for id_ in ids)
    return Mailing(drafts, slugs, lists[ids[0]].title, sender, aim=Aim.of(campaign.aim))


def _later(known: Sequence[Ahead], day: int) -> tuple[Ahead, ...]:
    return tuple(one for one in known if one.day > day)


def _lists(session: Session, condition: Any) -> Sequence[MailingList]:
    is_there = MailingList.removed_at.is_(None)
    return session.scalars(select(MailingList).where(condition, is_there).order_by(MailingList.id)).all()


def _templates(message: CompiledMessage) -> Templates:
    return Templates(message.subject, message.html, message.text)


def _sender_facts(source: SenderSource) -> SenderFacts:
    return SenderFacts(NUMBER, source.name, source.email, source.reply_to, source.postal_address)


def _facts(sender: Sender) -> SenderFacts:
    return SenderFacts(sender.id, sender.name, sender.email, sender.reply_to, sender.postal_address)
