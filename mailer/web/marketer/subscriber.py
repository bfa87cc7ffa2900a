"""One person: what is known of them and what is done about them. No address of these pages names a course."""

from __future__ import annotations

import json

from fastapi import APIRouter, Request, Response

from mailer.accounts.rights import Actor
from mailer.audience.subscribers import Changes, Person
from mailer.desk import audience as desk
from mailer.desk import subscribers
from mailer.desk.subscribers import Given
from mailer.errors import MailerError, NotFound, Refused
from mailer.models import FieldType, SubscriptionState
from mailer.reports.person import WHY_NOT_MAILED
from mailer.schedule import pace
from mailer.schedule.pace_words import DAYS
from mailer.web.deps import READ, FormFields, Parts, PartsDep
from mailer.web.marketer.subscribers import PATH, tags_of
from mailer.web.pace_form import number, wish_of
from mailer.web.signed_in import Audience, Export, See
from mailer.web.subscriber.choices import zone_choices
from mailer.web.taking_out import attached

router = APIRouter()

TOLD = 40
"""Moments of somebody's story on their page, until all are asked for."""
ONE = PATH + "/{subscriber_id}"


@router.api_route(ONE, methods=READ)
def show(request: Request, subscriber_id: int, parts: PartsDep, actor: See, all: str = "") -> Response:  # noqa: A002
    """Everything about somebody."""
    return _show(request, subscriber_id, parts, actor, is_whole=bool(all))


@router.post(ONE)
def change(
    request: Request, subscriber_id: int, actor: Audience, fields: FormFields, parts: PartsDep
) -> Response:
    """Their name, language, zone, tags and fields; the page again with what was wrong."""
    given = {name: fields.get(name, "").strip() for name in ("name", "language", "zone", "tags")}
    own: dict[str, Given] = {
        name.removeprefix("field-"): value.strip() or None
        for name, value in fields.items()
        if name.startswith("field-")
    }
    tags = {tag.lower() for tag in tags_of(given["tags"])}
    # Only what was changed in the form: what somebody else, or the reader, has changed meanwhile stays.
    was = _was(fields.get("was", ""))
    same = {name for name, value in {**given, **own}.items() if name in was and (value or "") == was[name]}
    try:
        with parts.session() as session:
            shown = {tag.lower() for tag in tags_of(was["tags"])} if "tags" in was else None
            if shown is None:
                shown = set(subscribers.show_subscriber(session, actor, subscriber_id).person.tags)
            kept = ("name", "language", "zone")
            name, language, zone = (None if one in same else given[one] for one in kept)
            changes = Changes(
                name=name,
                language=language,
                zone=zone,
                tags_added=tuple(tags - shown),
                tags_removed=tuple(shown - tags),
            )
            changed = {name: value for name, value in own.items() if name not in same}
            subscribers.change_subscriber(session, actor, subscriber_id, changes, changed)
    except NotFound:
        raise
    except MailerError as error:
        return _show(request, subscriber_id, parts, actor, given={**given, **own}, was=was, error=str(error))
    return parts.desk.go(f"{PATH}/{subscriber_id}", done="Changed.")


def _was(words: str) -> dict[str, str]:
    """What the form showed to begin with; nothing of a form that does not say."""
    try:
        found = json.loads(words)
    except ValueError:
        return {}
    is_ours = isinstance(found, dict) and all(isinstance(value, str) for value in found.values())
    return found if is_ours else {}


@router.post(ONE + "/join")
def join(
    request: Request, subscriber_id: int, fields: FormFields, parts: PartsDep, actor: Audience
) -> Response:
    """On a list, by the words that they agreed to; the page again, with those words, when that fails."""
    list_, consent = fields.get("list", ""), fields.get("consent", "").strip()
    with parts.session() as session:
        email = subscribers.show_subscriber(session, actor, subscriber_id).person.email
    try:
        if not (list_ and consent):
            raise Refused("Choose a list, and write down where and in which words they agreed.")
        with parts.session() as session:
            added = subscribers.add_subscriber(
                session, actor, Person(email), {}, list_=list_, consent=consent
            )
    except MailerError as error:
        joining = {"list": list_, "consent": consent, "error": str(error)}
        return _show(request, subscriber_id, parts, actor, joining=joining)
    asked = added.state == SubscriptionState.PENDING
    done = "They get a mail to confirm, and are on the list after that." if asked else "They are on the list."
    return parts.desk.go(f"{PATH}/{subscriber_id}", done=done)


@router.api_route(ONE + "/leave", methods=READ)
def ask_leave(
    request: Request, subscriber_id: int, parts: PartsDep, actor: Audience, subscription: int | None = None
) -> Response:
    """What taking somebody off a list, or off everything, means."""
    with parts.session() as session:
        view = desk.open_person(session, actor, subscriber_id, 0)
    chosen = next((one for one in view.lists if one.subscription_id == subscription), None)
    if subscription is not None and chosen is None:
        raise NotFound("They are on no such list.")
    return parts.desk.page(request, "audience/leave.html", actor, view=view, chosen=chosen)


@router.post(ONE + "/leave")
def leave(subscriber_id: int, fields: FormFields, parts: PartsDep, actor: Audience) -> Response:
    """Off a list and its courses, or off everything; they come back only by confirming."""
    with parts.session() as session:
        changed = subscribers.end_subscription(session, actor, subscriber_id, fields.get("list", ""))
    done = "They get nothing more of it." if fields.get("list") else "All mail to them has stopped."
    return parts.desk.go(f"{PATH}/{subscriber_id}", done=done if changed else "It was so already.")


@router.post(ONE + "/enroll")
def enroll(subscriber_id: int, fields: FormFields, parts: PartsDep, actor: Audience) -> Response:
    """Into a course of a list that they are on."""
    with parts.session() as session:
        waits = desk.enroll_person(session, actor, subscriber_id, fields.get("course", ""))
    done = "They begin as soon as they confirm." if waits else "They are in it: the welcome leaves now."
    return parts.desk.go(f"{PATH}/{subscriber_id}", done=done)


@router.api_route(ONE + "/courses/{enrollment_id}", methods=READ)
def course(request: Request, subscriber_id: int, enrollment_id: int, parts: PartsDep, actor: See) -> Response:
    """How far they are in a course, and at which pace."""
    return _course(request, subscriber_id, enrollment_id, parts, actor)


@router.post(ONE + "/courses/{enrollment_id}")
def change_course(
    request: Request,
    subscriber_id: int,
    enrollment_id: int,
    fields: FormFields,
    parts: PartsDep,
    actor: Audience,
) -> Response:
    """One wish about its pace, as they could make it themselves."""
    try:
        with parts.session() as session:
            today = desk.open_course_of(session, actor, subscriber_id, enrollment_id).pace.today
            wish = wish_of(fields, today)
            if wish is None:
                raise Refused("Choose what is to be changed.")
            seen = number(fields["seen"]) if "seen" in fields else None
            changed = desk.change_pace(session, actor, subscriber_id, enrollment_id, wish, seen)
    except pace.PaceRefused as error:
        return _course(request, subscriber_id, enrollment_id, parts, actor, error=str(error))
    done = "Done. They were not told; their own page shows it." if changed else "It was so already."
    return parts.desk.go(f"{PATH}/{subscriber_id}/courses/{enrollment_id}", done=done)


@router.get(ONE + "/person.json")
def take_out(subscriber_id: int, parts: PartsDep, actor: Export) -> Response:
    """All that is kept of them, to be given to them; taking it out is noted."""
    with parts.session() as session:
        kept = subscribers.export_subscriber(session, actor, subscriber_id)
    name = f"person-{subscriber_id}.json"
    return Response(
        json.dumps(kept, ensure_ascii=False, indent=2),
        media_type="application/json",
        headers=attached(name),
    )


@router.api_route(ONE + "/erase", methods=READ)
def ask_erase(request: Request, subscriber_id: int, parts: PartsDep, actor: Audience) -> Response:
    """What erasing means."""
    return _erase(request, subscriber_id, parts, actor)


@router.post(ONE + "/erase")
def erase(
    request: Request, subscriber_id: int, fields: FormFields, parts: PartsDep, actor: Audience
) -> Response:
    """Forget them for good, once their address was typed."""
    with parts.session() as session:
        person = subscribers.show_subscriber(session, actor, subscriber_id).person
        is_meant = fields.get("address", "").strip().lower() == person.email_key
        erased = subscribers.erase_subscriber(session, actor, subscriber_id) if is_meant else None
    if erased is None:
        return _erase(request, subscriber_id, parts, actor, error="This is not their address.")
    mails = "1 mail" if erased.mails == 1 else f"{erased.mails:,} mails"
    return parts.desk.go(
        PATH, done=f"They are forgotten, with {mails}. Nothing will bring them back by itself."
    )


def _erase(request: Request, subscriber_id: int, parts: Parts, actor: Actor, error: str = "") -> Response:
    with parts.session() as session:
        view = desk.open_person(session, actor, subscriber_id, 0)
    return parts.desk.page(request, "audience/erase.html", actor, view=view, error=error)


def _course(
    request: Request, subscriber_id: int, enrollment_id: int, parts: Parts, actor: Actor, error: str = ""
) -> Response:
    with parts.session() as session:
        view = desk.open_course_of(session, actor, subscriber_id, enrollment_id)
    return parts.desk.page(
        request,
        "audience/reading.html",
        actor,
        view=view,
        days=DAYS,
        earliest=view.pace.today + pace.DAY,
        latest=view.pace.today + pace.LONGEST_PAUSE,
        error=error,
    )


def _show(
    request: Request,
    subscriber_id: int,
    parts: Parts,
    actor: Actor,
    *,
    is_whole: bool = False,
    given: dict[str, Given] | None = None,
    was: dict[str, str] | None = None,
    joining: dict[str, str] | None = None,
    error: str = "",
) -> Response:
    with parts.session() as session:
        view = desk.open_person(session, actor, subscriber_id, None if is_whole else TOLD)
        choices = desk.choices(session, actor)
    one = view.person
    known = {
        "name": one.name,
        "language": one.language or "",
        "zone": one.zone or "",
        "tags": ", ".join(one.tags),
        **{key: _shown(one.fields.get(key)) for key in choices.fields},
    }
    return parts.desk.page(
        request,
        "audience/subscriber.html",
        actor,
        view=view,
        fields=choices.fields,
        FieldType=FieldType,
        given={**known, **(given or {})},
        was=json.dumps(was or known),
        zones=zone_choices("en", one.zone) if one.zone else zone_choices("en", "Etc/UTC"),
        why_not=WHY_NOT_MAILED.get(view.stopped.reason) if view.stopped else "",  # type: ignore[call-overload]
        joining=joining or {"list": "", "consent": ""},
        error=error,
        status=422 if error or joining else 200,
    )


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else str(value)
