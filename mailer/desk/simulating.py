"""A course lived through before anybody gets it: by typical readers, by people of a file, by some of ours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from sqlalchemy.orm import Session

from mailer.accounts.rights import Actor, Right, needs
from mailer.content.course_folder import read_draft
from mailer.content.draft_store import Drafts
from mailer.db import business_now
from mailer.errors import NotFound, Refused
from mailer.launch.chosen_readers import readers_of_text, readers_who
from mailer.launch.draft_plan import plan_of
from mailer.launch.foreseen import Foreseen, maker_of
from mailer.launch.published import published_subjects
from mailer.launch.shown import Shown
from mailer.launch.simulate import setting_of
from mailer.launch.typical import Life, lives_of, typical_people
from mailer.links import Signer
from mailer.models import MailingList
from mailer.schedule.courses import CoursePlan, get_course, is_published, load_plan


@dataclass(frozen=True)
class Chosen:
    """For whom: the people of a CSV file's text, or a few who meet a rule; neither: typical readers."""

    people: str = ""
    who: str = ""


@needs(Right.SEE)
def live_through(
    session: Session, _: Actor, drafts: Drafts, slug: str, start: date | None, chosen: Chosen
) -> list[Life]:
    """What readers get of the draft, or else of what is published, from `start` (today) on.

    Raises NotFound, or what is wrong with what was `chosen`.
    """
    plan, subjects, list_slug = _plan(session, drafts, slug)
    setting = setting_of(session, plan, list_slug)
    if chosen.people.strip():
        people = readers_of_text(chosen.people, setting.fields)
    elif chosen.who.strip():
        people = readers_who(session, chosen.who)
    else:
        people = typical_people(plan)
    return lives_of(plan, subjects, people, start or business_now(session).date(), setting)


@needs(Right.SEE)
def show_foreseen(
    session: Session, _: Actor, drafts: Drafts, slug: str, mail: Foreseen, signer: Signer, base_url: str
) -> Shown:
    """One mail of `live_through` as its reader would get it; raises NotFound, Refused or CannotRender."""
    course = drafts.folder(slug) if drafts.has(slug) else slug
    return maker_of(session, course, mail, signer, base_url).shown()


def _plan(session: Session, drafts: Drafts, slug: str) -> tuple[CoursePlan, Mapping[str, str], str]:
    if drafts.has(slug):
        source, problems = read_draft(drafts.folder(slug))
        if not source.steps or any(not one.is_warning for one in problems):
            raise Refused("Mend the errors of the draft first; then its days can be lived through.")
        return plan_of(source), {one.key: one.subject for one in source.steps}, source.list_slug
    if not is_published(session, slug):
        raise NotFound(f"There is no course {slug!r}.")
    course = get_course(session, slug)
    list_slug = session.get_one(MailingList, course.list_id).slug
    return load_plan(session, course.id), published_subjects(session, course.id), list_slug
