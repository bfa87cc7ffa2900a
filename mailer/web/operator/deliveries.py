"""Mails one by one: looked for, looked at, and tried again, held or cancelled many at a time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, BackgroundTasks, Depends, Request, Response

from mailer.delivery.bulk import AT_ONCE
from mailer.delivery.ledger import Filter
from mailer.delivery.reasons import MEANING
from mailer.delivery.verbs import VERBS
from mailer.desk import deliveries as desk
from mailer.desk.deliveries import MovedOn
from mailer.errors import Refused
from mailer.models import BulkAct, DeliveryState, Lane
from mailer.queue import ERRANDS, TaskName
from mailer.reports.deliveries import Look
from mailer.web.deps import READ, FormFields, Parts, PartsDep
from mailer.web.signed_in import Run, See

router = APIRouter()

LONG = 19
"""Digits of a number that no row can have."""

PATH = "/desk/deliveries"
FILTER = ("state", "lane", "course", "campaign", "domain", "reason", "kind")
WHOLE = ("lane", "course", "campaign", "kind")
"""One of these must be named for an act on many, so that not every mail is meant."""

WORDS = {
    "retry": "Try again",
    "hold": "Hold",
    "release": "Release",
    "cancel": "Cancel",
    "settle-accepted": "They arrived",
    "settle-cancelled": "They did not arrive",
}
WHAT_HAPPENS = {
    "retry": "They are planned once more and leave as soon as there is room; consent is asked again first.",
    "hold": "They stay where they are until somebody releases them. Nothing is lost.",
    "release": "They leave as soon as there is room, however late they are.",
    "cancel": "They are never sent; their readers go on with the next step. This cannot be undone.",
    "settle-accepted": "They count as accepted, as the relay's log says. This cannot be undone.",
    "settle-cancelled": "They count as not sent, as the relay's log says. This cannot be undone.",
}
UNDO = {"hold": "Release undoes it.", "release": "Hold sets them aside again while they have not left."}


def _asked(request: Request) -> dict[str, str]:
    """What is looked for, from the address."""
    return {name: request.query_params.get(name, "").strip()[:200] for name in FILTER}


Asked = Annotated[dict[str, str], Depends(_asked)]


@router.api_route(PATH, methods=READ)
def list_(request: Request, parts: PartsDep, actor: See, asked: Asked, at: str = "") -> Response:
    """Those that fit, newest first."""
    with parts.session() as session:
        page = desk.list_deliveries(session, actor, Look(**asked), at)
        choices = desk.choices(session, actor)
    named = {name: value for name, value in asked.items() if value}
    return parts.desk.page(
        request,
        "deliveries.html",
        actor,
        page=page,
        asked=asked,
        named=named,
        choices=choices,
        states=list(DeliveryState),
        lanes=list(Lane),
        kinds={str(kind): words for kind, words in MEANING.items()},
        acts=_acts(asked) if page.rows else {},
        next=parts.desk.url(PATH, **named, at=page.next) if page.next else "",
    )


def _acts(asked: Mapping[str, str]) -> dict[str, str]:
    """What can be done to all that fit: those verbs that begin from the state that is looked for."""
    if not asked["state"] or not any(asked[name] for name in WHOLE):
        return {}
    state = DeliveryState(asked["state"])
    return {word: WORDS[word] for word, verb in VERBS.items() if state in verb.from_}


@router.api_route(PATH + "/act", methods=READ)
def ask_act(
    request: Request, parts: PartsDep, actor: Run, asked: Asked, verb: str = "", mail: int | None = None
) -> Response:
    """What an act would do, and to how many."""
    return _ask(request, parts, actor, asked, verb, mail)


@router.post(PATH + "/act")
def act(
    request: Request, fields: FormFields, parts: PartsDep, actor: Run, tasks: BackgroundTasks
) -> Response:
    """Do it to what the page showed; the page again when there are more by now."""
    asked = {name: fields.get(name, "").strip()[:200] for name in FILTER}
    verb, because = fields.get("verb", ""), fields.get("because", "").strip()[:200]
    mail, seen = _number(fields.get("mail", "")), _number(fields.get("seen", ""))
    seen_at = _moment(fields.get("seen_at", ""))
    if seen is None:
        raise Refused("Look at what it would come to first.")
    try:
        with parts.session() as session:
            done = desk.act_or_ask(session, actor, verb, _filter(asked, mail), seen, because, seen_at)
    except MovedOn as error:
        return _ask(request, parts, actor, asked, verb, mail, error=str(error))
    if isinstance(done, BulkAct):
        # After the answer: a broker that is away takes seconds to find out. The beat asks before long anyway.
        tasks.add_task(parts.broker.send, TaskName.ACT_ON_MANY, queue=ERRANDS, expires=60)
        return parts.desk.go(f"{PATH}/acts/{done.id}")
    to = VERBS[verb]
    words = f"{done:,} {'mail' if done == 1 else 'mails'} {to.done}; now {to.to}. {UNDO.get(verb, '')}"
    if mail is not None:
        return parts.desk.go(f"{PATH}/{mail}", done=words.strip())
    return parts.desk.go(PATH, done=words.strip(), **{**asked, "state": str(to.to), "reason": ""})


def _number(words: str) -> int | None:
    """A number of a form of ours; None for another."""
    return int(words) if words.isdecimal() and len(words) < LONG else None


def _moment(words: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(words)
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else None


@router.api_route(PATH + "/acts/{act_id}", methods=READ)
def show_act(request: Request, act_id: int, parts: PartsDep, actor: See) -> Response:
    """How far an act on many mails is."""
    with parts.session() as session:
        found = desk.see_act(session, actor, act_id)
    verb = VERBS[found.verb]
    named = {name: value for name, value in found.filter.items() if name in FILTER}
    return parts.desk.page(
        request,
        "deliveries_acting.html",
        actor,
        act=found,
        verb=verb,
        words=WORDS[found.verb],
        to=parts.desk.url(PATH, **{**named, "state": str(verb.to), "reason": ""}),
    )


@router.post(PATH + "/acts/{act_id}/stop")
def stop_act(act_id: int, parts: PartsDep, actor: Run) -> Response:
    """Do no more of it."""
    with parts.session() as session:
        found = desk.stop_act(session, actor, act_id)
    return parts.desk.go(f"{PATH}/acts/{act_id}", done=f"Stopped; {found.changed:,} were changed by then.")


@router.api_route(PATH + "/{delivery_id}", methods=READ)
def show(request: Request, delivery_id: int, parts: PartsDep, actor: See) -> Response:
    """One mail, its attempts, and why it was or was not sent."""
    with parts.session() as session:
        view = desk.show_delivery(session, actor, delivery_id)
    state = DeliveryState(view.row.state)
    if state == DeliveryState.SENDING and view.is_offered:
        state = DeliveryState.PLANNED  # no worker has begun it, so it can still be held or cancelled
    acts = {word: WORDS[word] for word, verb in VERBS.items() if state in verb.from_}
    return parts.desk.page(request, "delivery.html", actor, view=view, acts=acts, state=state)


def _ask(
    request: Request,
    parts: Parts,
    actor: Run,
    asked: Mapping[str, str],
    verb: str,
    mail: int | None,
    error: str = "",
) -> Response:
    with parts.session() as session:
        weighed = desk.weigh(session, actor, verb, _filter(asked, mail))
    named = {name: value for name, value in asked.items() if value}
    back = parts.desk.url(f"{PATH}/{mail}") if mail is not None else parts.desk.url(PATH, **named)
    return parts.desk.page(
        request,
        "deliveries_act.html",
        actor,
        status=409 if error else 200,
        asked=named,
        verb=verb,
        words=WORDS[verb],
        mail=mail,
        error=error,
        weighed=weighed,
        at_once=AT_ONCE,
        what=WHAT_HAPPENS[verb],
        undo=UNDO.get(verb, ""),
        takes_reason=verb not in ("retry", "release"),
        is_risky=verb == "retry" and DeliveryState.UNCERTAIN in weighed.counts,
        back=back,
        kinds={str(kind): words for kind, words in MEANING.items()},
    )


def _filter(asked: Mapping[str, str], mail: int | None) -> Filter:
    look = asdict(Look(**asked))
    state = look.pop("state")
    named = {name: value or None for name, value in look.items()}
    states = (DeliveryState(state),) if state else ()
    return Filter(states=states, ids=() if mail is None else (mail,), **named)
