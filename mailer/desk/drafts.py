"""Courses as they are written on the desk: brought, arranged, typed, carried away. Nobody is sent anything.

Each call takes the folders (`Drafts`) that the drafts are in; what they hold is in no database.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy.orm import Session

from mailer.accounts.record import record
from mailer.accounts.rights import Actor, Right, needs
from mailer.audience.subscribers import get_subscriber
from mailer.content.arrivals import Arrival, Arrivals, slug_for
from mailer.content.course_edit import SENDER, changed_course, slug_in
from mailer.content.course_files import course_files, pack
from mailer.content.course_folder import COURSE_FILE, CourseSource, Problem, StepKind, read_draft
from mailer.content.course_words import SLUG
from mailer.content.draft_store import Drafts, Typing, file_digest
from mailer.content.file_edit import body_of, front_matter, plain_lines, settings_of, typed_file
from mailer.content.guide.adjust import Place, Wish
from mailer.content.guide.again import has_guide
from mailer.content.guide.folder import file_name
from mailer.content.guide.names import slug_of, unique_slug
from mailer.content.guide.steps import literal
from mailer.content.newest import Newest
from mailer.content.timeline import free_day, neighbour, put_before, put_on_day
from mailer.db import business_now
from mailer.delivery.one_mail import OneMail
from mailer.delivery.roster import get_sender
from mailer.delivery.signing import Keyring
from mailer.errors import NotFound, Refused
from mailer.launch.check import check_course
from mailer.launch.checked import keep_check
from mailer.launch.send_test import STEP_TESTED, refuse_many
from mailer.launch.shown import Shown
from mailer.launch.step_look import StepLook, compose_step_test, look_at_step, show_step
from mailer.links import Signer
from mailer.models import CheckedKind

_LOOKS: Newest[tuple[Path, str, str, str], StepLook] = Newest(8)
"""Steps that this process compiled, by their folder and its digest, the file and what is typed into it."""


@dataclass(frozen=True)
class DraftView:
    """A draft as its page shows it; `digest` is what a change of it has to name.

    `has_guide`: it was made of a guide, which can be brought again.
    """

    source: CourseSource
    problems: list[Problem]
    digest: str
    has_guide: bool

    @property
    def errors(self) -> int:
        return sum(not problem.is_warning for problem in self.problems)


@dataclass(frozen=True)
class StepView:
    """One step's file as the editor shows it. `text` is what is typed.

    `base` is the digest of the file that the text began with, `digest` that of the file now.
    """

    name: str
    text: str
    settings: Mapping[str, str]
    body: str
    base: str
    digest: str
    is_unsaved: bool
    has_settings: bool
    look: StepLook
    as_subscriber: int | None


@needs(Right.WRITE)
def take_guide(_: Session, __: Actor, arrivals: Arrivals, file: str, content: bytes, days: int) -> Arrival:
    """Keep an uploaded guide for a day and say how it is understood; raises Refused."""
    return arrivals.take(file, content, days)


@needs(Right.WRITE)
def look_at_guide(_: Session, __: Actor, arrivals: Arrivals, name: str, days: int | None) -> Arrival:
    """How a guide that was taken is understood; raises NotFound or Refused."""
    return arrivals.look(name, days)


@needs(Right.WRITE)
def adjust_section(
    _: Session, __: Actor, arrivals: Arrivals, name: str, key: str, fields: Mapping[str, str]
) -> Arrival:
    """Have one section of a guide otherwise, as a form says it; raises NotFound or Refused."""
    known = next((one for one in arrivals.look(name).sections if one.key == key), None)
    if known is None:
        raise NotFound(f"The guide has no section {key!r}.")
    title, day, split = (fields.get(name, "").strip() for name in ("title", "day", "split"))
    if fields.get("place") not in list(Place) or not all(not one or one.isdecimal() for one in (day, split)):
        raise Refused("Say what becomes of the section, and on which day.")
    is_other_day = bool(day) and int(day) != known.day
    wish = Wish(
        title=" ".join(title.split()) if literal(title) != known.title else known.wish.title,
        place=Place(fields["place"]),
        day=int(day) if is_other_day else known.wish.day,
        split=int(split) if split else None,
    )
    return arrivals.adjust(name, key, wish)


@needs(Right.WRITE)
def make_course(
    session: Session,
    actor: Actor,
    drafts: Drafts,
    arrivals: Arrivals,
    arrival: Arrival,
    *,
    title: str,
    slug: str,
    sender: str,
) -> None:
    """Turn a guide into a draft; `sender` is one known whose address it takes over, or empty."""
    if not title.strip():
        raise Refused("Give the course a title.")
    drafts.create(slug, arrival.files(" ".join(title.split()), slug, _sender_values(session, sender)))
    record(session, actor, "course draft", course=slug)
    arrivals.forget(arrival.name)


@dataclass(frozen=True)
class CourseOfGuide:
    """A guide as it was understood, and the zip of the course folder that it becomes."""

    arrival: Arrival
    slug: str
    title: str
    folder: bytes


@needs(Right.WRITE)
def course_of_guide(
    session: Session,
    _: Actor,
    file: str,
    content: bytes,
    days: int,
    *,
    title: str = "",
    slug: str = "",
    sender: str = "",
) -> CourseOfGuide:
    """Make a course folder of a guide at once, keeping nothing here; `title` and `slug` are its own when they
    are empty, `sender` as for `make_course`. Raises NotFound or Refused."""
    values = _sender_values(session, sender)
    with TemporaryDirectory() as folder:
        arrival = Arrivals(Path(folder)).take(file, content, days)
        named = " ".join(title.split()) or arrival.report.title
        slug = slug.strip() or slug_for(named)
        if not SLUG.fullmatch(slug):
            raise Refused(f"{slug!r} is not a slug; use small letters, digits and hyphens, as in calm-week.")
        files = arrival.files(named, slug, values)
    packed = {name: text if isinstance(text, bytes) else text.encode() for name, text in files.items()}
    return CourseOfGuide(arrival, slug, named, pack(slug, packed))


def _sender_values(session: Session, sender: str) -> dict[str, str]:
    """What a course takes over of a sender that is known; nothing where none is named. Raises NotFound."""
    known = get_sender(session, sender) if sender else None
    return {name: getattr(known, name) or "" for name in SENDER} if known else {}


@needs(Right.WRITE)
def pack_folder(_: Session, __: Actor, drafts: Drafts, slug: str) -> bytes:
    """The draft as a zip of its course folder; raises NotFound, or Refused for too large a one."""
    problems: list[Problem] = []
    files = course_files(drafts.folder(slug), problems)
    if problems:
        raise Refused(f"{problems[0].what} {problems[0].fix}")
    return pack(slug, files)


@needs(Right.SEE)
def show_draft(session: Session, _: Actor, drafts: Drafts, slug: str, *, compiled: bool = False) -> DraftView:
    """The draft and what is wrong with it; with `compiled` every mail is made, to find all there is."""
    folder = drafts.folder(slug)
    digest = drafts.digest(slug)
    source, problems = read_draft(folder)
    if compiled:
        problems = check_course(folder)[1]
    if compiled or any(not one.is_warning for one in problems):
        keep_check(session, CheckedKind.COURSE, slug, digest, problems)
    return DraftView(source, problems, digest, has_guide(folder))


@needs(Right.WRITE)
def move_step(
    _: Session, __: Actor, drafts: Drafts, slug: str, name: str, *, before: str, digest: str
) -> bool:
    """Put a step "earlier", "later", or directly before the file `before` ("": last); False: it stays."""
    source, _problems = read_draft(drafts.folder(slug))
    target: str | None = before
    if before in ("earlier", "later"):
        target = neighbour(source, name, is_later=before == "later")
    files = {} if target is None else put_before(source, name, target)
    if files:
        drafts.change(slug, files, before=digest)
    return bool(files)


@needs(Right.WRITE)
def put_step_on(_: Session, __: Actor, drafts: Drafts, slug: str, name: str, day: int, digest: str) -> bool:
    """Put a step on a day; a step that is on it takes the day that becomes free."""
    source, _problems = read_draft(drafts.folder(slug))
    files = put_on_day(source, name, day)
    if files:
        drafts.change(slug, files, before=digest)
    return bool(files)


@needs(Right.WRITE)
def add_step(
    _: Session, __: Actor, drafts: Drafts, slug: str, *, subject: str, kind: str, day: int | None, digest: str
) -> str:
    """A new step with nothing but its subject written; returns its file's name."""
    if not subject.strip():
        raise Refused("Give the step a subject.")
    if kind not in list(StepKind):
        raise Refused("A step is a lesson, a protocol step or a check-in.")
    source, _problems = read_draft(drafts.folder(slug))
    on = day or free_day(source)
    if any(step.day == on and step.is_plain for step in source.steps):
        raise Refused(f"Day {on} has its step already; take a day that is free.")
    keys = {step.key for step in source.steps}
    key = unique_slug(subject, keys, slug_of(subject) or f"day-{on}")
    name = file_name(on, key)
    if (drafts.folder(slug) / name).exists():
        raise Refused(f"There is a file {name} already; take another subject or day.")
    matter = front_matter({"key": key, "subject": " ".join(subject.split()), "kind": kind, "day": on})
    text = f"---\n{matter}---\n\n# {' '.join(subject.split())}\n\nWrite here.\n"
    drafts.change(slug, {name: text}, before=digest)
    return name


@needs(Right.WRITE)
def open_step(_: Session, actor: Actor, drafts: Drafts, slug: str, name: str) -> StepView:
    """A step with what this actor has typed into it, or else as it is saved; raises NotFound."""
    typed = drafts.typing(slug, name, _who(actor))
    if typed is None:
        saved = _saved(drafts, slug, name)
        typed = Typing(saved, file_digest(drafts.step(slug, name)))
    return _view(drafts, slug, name, typed)


@needs(Right.WRITE)
def type_step(
    session: Session, actor: Actor, drafts: Drafts, slug: str, name: str, fields: Mapping[str, str]
) -> StepView:
    """Keep what was typed without saving it, and look at it. Raises UnknownPerson, BadAddress."""
    text = _typed(drafts, slug, name, fields)
    address = fields.get("as", "").strip()
    who = get_subscriber(session, address).id if address else None
    typing = Typing(text, fields.get("digest", ""), who)
    drafts.keep_typing(slug, name, _who(actor), typing)
    return _view(drafts, slug, name, typing)


@needs(Right.WRITE)
def show_mail(session: Session, _: Actor, view: StepView, signer: Signer, base_url: str) -> Shown:
    """The mail that a step becomes, for whom it is shown; raises NotFound, CannotRender."""
    now = business_now(session)
    return show_step(
        session, view.look, now, as_subscriber=view.as_subscriber, signer=signer, base_url=base_url
    )


@needs(Right.SEND)
def write_step_tests(
    session: Session,
    actor: Actor,
    view: StepView,
    to: Sequence[str],
    signer: Signer,
    base_url: str,
    keyring: Keyring,
) -> list[OneMail]:
    """The mail to each of these addresses, noted as sent; hand them over outside the session.

    Raises Refused for too many, and as `compose_step_test` does.
    """
    now = business_now(session)
    refuse_many(session, actor.who, to, now)
    made = [
        compose_step_test(
            session,
            view.look,
            now,
            to=address,
            as_subscriber=view.as_subscriber,
            signer=signer,
            base_url=base_url,
            keyring=keyring,
        )
        for address in to
    ]
    record(session, actor, STEP_TESTED, len(made), course=view.look.course.slug, step=view.name)
    return made


@needs(Right.WRITE)
def save_step(
    _: Session, actor: Actor, drafts: Drafts, slug: str, name: str, fields: Mapping[str, str]
) -> list[Problem]:
    """Save what was typed; returns what is wrong with it, which stands in nobody's way before publishing.

    Raises Refused, and keeps what was typed, when somebody else has changed the step meanwhile.
    """
    text = _typed(drafts, slug, name, fields)
    base = fields.get("digest", "")
    drafts.keep_typing(slug, name, _who(actor), Typing(text, base))
    drafts.save(slug, name, text, before=base)
    drafts.keep_typing(slug, name, _who(actor), None)
    return list(_look(drafts, slug, name, text).problems)


@needs(Right.WRITE)
def forget_typing(_: Session, actor: Actor, drafts: Drafts, slug: str, name: str) -> None:
    """Back to what is saved."""
    drafts.keep_typing(slug, name, _who(actor), None)


@needs(Right.WRITE)
def course_text(_: Session, __: Actor, drafts: Drafts, slug: str) -> tuple[str, str]:
    """course.toml as it is, and its digest."""
    path = drafts.folder(slug) / COURSE_FILE
    return plain_lines(path.read_text(encoding="utf-8", errors="replace")), file_digest(path)


@needs(Right.WRITE)
def save_course(
    session: Session, actor: Actor, drafts: Drafts, slug: str, changes: Mapping[str, str | int], digest: str
) -> None:
    """Write some settings of course.toml anew; raises Refused."""
    text, _digest = course_text(session, actor, drafts, slug)
    drafts.save(slug, COURSE_FILE, changed_course(text, changes), before=digest)


@needs(Right.WRITE)
def save_course_text(_: Session, __: Actor, drafts: Drafts, slug: str, text: str, digest: str) -> None:
    """Write course.toml anew as a whole; its slug stays, for the folder is named after it."""
    text = plain_lines(text)
    if slug_in(text.encode()) != slug:
        raise Refused(f'The slug stays: write slug = "{slug}". For another one, bring the folder anew.')
    drafts.save(slug, COURSE_FILE, text, before=digest)


@needs(Right.WRITE)
def remove_draft(session: Session, actor: Actor, drafts: Drafts, slug: str) -> None:
    """Forget the draft; what is published of the course stays as it is."""
    drafts.remove(slug)
    record(session, actor, "course draft remove", course=slug)


def _typed(drafts: Drafts, slug: str, name: str, fields: Mapping[str, str]) -> str:
    """The file's text as the form says it."""
    return typed_file(_saved(drafts, slug, name), fields, numbers=("day", "week"))


def _saved(drafts: Drafts, slug: str, name: str) -> str:
    return plain_lines(drafts.step(slug, name).read_text(encoding="utf-8", errors="replace"))


def _look(drafts: Drafts, slug: str, name: str, text: str) -> StepLook:
    """The step as this text makes it; compiled once for its preview and for the frame with the mail in it."""
    folder, digest = drafts.folder(slug), drafts.digest(slug)
    return _LOOKS.get((folder, digest, name, text), lambda: look_at_step(folder, name, text))


def _view(drafts: Drafts, slug: str, name: str, typing: Typing) -> StepView:
    settings = settings_of(typing.text)
    return StepView(
        name=name,
        text=typing.text,
        settings=settings or {},
        body=body_of(typing.text),
        base=typing.base,
        digest=file_digest(drafts.step(slug, name)),
        is_unsaved=typing.text != _saved(drafts, slug, name),
        has_settings=settings is not None,
        look=_look(drafts, slug, name, typing.text),
        as_subscriber=typing.as_subscriber,
    )


def _who(actor: Actor) -> int:
    return actor.operator_id or 0
