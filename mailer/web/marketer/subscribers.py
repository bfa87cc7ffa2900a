"""People: found, added, and taken out as a file."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response

from mailer.accounts.rights import Actor
from mailer.audience.lists import shown_slug
from mailer.audience.subscribers import Person
from mailer.desk import audience as desk
from mailer.desk import subscribers
from mailer.desk.audience import Asked
from mailer.errors import MailerError, NotFound
from mailer.models import SubscriptionState
from mailer.reports.subscribers import PersonRow
from mailer.sealing import SealedWithAnotherKey
from mailer.web.deps import READ, FormFields, Parts, PartsDep
from mailer.web.signed_in import Audience, Export, See
from mailer.web.taking_out import Cells, csv_answer, in_pieces

router = APIRouter()

PATH = "/desk/subscribers"
FIND = "find"
PERSON = ("email", "name", "language", "zone", "tags", "list", "consent")
EXPORTED_AT_ONCE = 1000


def asked_of(
    request: Request, parts: PartsDep, tag: str = "", state: str = "", find: str = ""
) -> tuple[Asked, dict[str, str]]:
    """Who is looked for by the address, and the address's own query.

    What somebody typed is sealed there: it may be a person's name, and a list beside it their illness.
    """
    list_ = request.query_params.get("list", "").strip()
    state = state if state in set(SubscriptionState) else ""
    try:
        words = parts.seal.open(find) if find else ""
    except SealedWithAnotherKey:
        find = words = ""
    asked = Asked(words, tag.strip()[:200], list_[:200], state)
    query = {FIND: find, "list": asked.list_, "tag": asked.tag, "state": state}
    return asked, {name: value for name, value in query.items() if value}


AskedDep = Annotated[tuple[Asked, dict[str, str]], Depends(asked_of)]


@router.api_route(PATH, methods=READ)
def list_(
    request: Request, parts: PartsDep, actor: See, asked: AskedDep, before: int | None = None
) -> Response:
    """Those who fit, the newest first."""
    return _list(request, parts, actor, asked, before)


@router.post(PATH + "/find")
def find(fields: FormFields, parts: PartsDep, _: See) -> Response:
    """What was typed, on to its page."""
    words = " ".join(fields.get("words", "").replace("\0", "").split())[:300]
    query = {name: fields.get(name, "").strip() for name in ("list", "tag", "state")}
    if words:
        query[FIND] = parts.seal.close(words)
    return parts.desk.go(PATH, **query)


@router.post(PATH)
def add(request: Request, actor: Audience, fields: FormFields, parts: PartsDep) -> Response:
    """Somebody new, or more of somebody known; the form again with what was wrong."""
    given = {name: fields.get(name, "").strip() for name in PERSON}
    person = Person(
        email=given["email"],
        name=given["name"],
        language=given["language"] or None,
        zone=given["zone"] or None,
        tags=tags_of(given["tags"]),
    )
    try:
        with parts.session() as session:
            added = subscribers.add_subscriber(
                session, actor, person, {}, list_=given["list"], consent=given["consent"]
            )
    except MailerError as error:
        return _list(request, parts, actor, (Asked(), {}), None, given=given, error=str(error))
    told = {
        "": "They are known here. They are on no list, so they get no mail.",
        SubscriptionState.PENDING: "They get a mail to confirm, and are on the list after that.",
        SubscriptionState.ACTIVE: "They are on the list.",
    }
    return parts.desk.go(f"{PATH}/{added.subscriber_id}", done=told[added.state])


@router.get(PATH + ".csv")
def take_out(parts: PartsDep, actor: Export, asked: AskedDep) -> Response:
    """All who fit, as a file; taking it out is noted."""
    with parts.session() as session:
        fields = desk.note_people_export(session, actor, asked[0])
    lists = "state" if asked[0].list_ else "lists"
    columns = ("email", "name", "language", "zone", "tags", lists, "added_at", "not_mailed", *fields)
    return csv_answer("subscribers.csv", columns, _rows(parts, actor, asked[0], tuple(fields)))


def tags_of(words: str) -> tuple[str, ...]:
    """Tags as they are typed, with commas between."""
    return tuple(tag for part in words.split(",") if (tag := part.strip()))


def _rows(parts: Parts, actor: Actor, asked: Asked, fields: tuple[str, ...]) -> Iterator[Sequence[Cells]]:
    def read(before: int | None) -> tuple[Sequence[Cells], int | None]:
        with parts.session() as session:
            page = desk.search_people(session, actor, asked, before, EXPORTED_AT_ONCE)
            return [tuple(_cells(row, asked, fields)) for row in page.rows], page.next

    return in_pieces(read)


def _cells(row: PersonRow, asked: Asked, fields: tuple[str, ...]) -> Iterator[object]:
    one = row.person
    yield from (one.email, one.name, one.language or "", one.zone or "", ", ".join(one.tags))
    if asked.list_:
        yield next((state for slug, _, state in row.lists if slug == asked.list_), "")
    else:
        yield ", ".join(_on_list(slug, state) for slug, _, state in row.lists)
    yield from (one.created_at.isoformat(timespec="seconds"), row.suppressed)
    for key in fields:
        yield _plain(one.fields.get(key))


def _on_list(slug: str, state: str) -> str:
    shown = shown_slug(slug)
    return f"{slug} ({state})" if shown == slug else shown


def _plain(value: Any) -> object:
    if value is None or isinstance(value, str):
        return value or ""
    return ("yes" if value else "no") if isinstance(value, bool) else json.dumps(value)


def _list(
    request: Request,
    parts: Parts,
    actor: See,
    asked: tuple[Asked, dict[str, str]],
    before: int | None,
    *,
    given: dict[str, str] | None = None,
    error: str = "",
) -> Response:
    looked, query = asked
    with parts.session() as session:
        try:
            page = desk.search_people(session, actor, looked, before)
        except NotFound:
            # A list of another time: the page says that nobody fits.
            page = desk.PeoplePage((), None, is_cut=False)
        in_all = desk.count_people(session, actor)
        choices = desk.choices(session, actor)
    return parts.desk.page(
        request,
        "audience/subscribers.html",
        actor,
        page=page,
        asked=looked,
        is_part=bool(query),
        in_all=in_all,
        choices=choices,
        lists=[(one.slug, one.title) for one in choices.lists],
        states=list(SubscriptionState),
        given=given or dict.fromkeys(PERSON, ""),
        error=error,
        is_later=before is not None,
        next=parts.desk.url(PATH, **query, before=page.next) if page.next is not None else "",
        csv=parts.desk.url(f"{PATH}.csv", **query),
    )
