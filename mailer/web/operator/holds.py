"""What is on hold: pausing, resuming, and going on after an outage."""

from __future__ import annotations

from datetime import timedelta

from fastapi import APIRouter, Request, Response

from mailer.accounts.rights import Actor
from mailer.db import business_now
from mailer.delivery.installation import Installation
from mailer.desk import holds as desk
from mailer.errors import Refused
from mailer.launch.carry_out import carry_out
from mailer.launch.release import NOTHING_HELD
from mailer.models import Lane
from mailer.schedule.catchup import STALE_AFTER, Policy
from mailer.web.deps import READ, FormFields, Parts, PartsDep
from mailer.web.signed_in import Run, See

router = APIRouter()

PATH = "/desk/holds"
HOURS = STALE_AFTER // timedelta(hours=1)
MOST_HOURS = 24 * 365
MEANING = {
    Policy.SHIFT: "Nothing is passed over; all that follows moves too.",
    Policy.RHYTHM: "Back to the course's own dates, caught up one a day where there is room.",
    Policy.SKIP_STALE: "What is too late is passed over, the rest moves.",
}


@router.api_route(PATH, methods=READ)
def list_(request: Request, parts: PartsDep, actor: See) -> Response:
    """All that is on hold, and what can be paused."""
    with parts.session() as session:
        view = desk.see_holds(session, actor)
        return parts.desk.page(request, "holds.html", actor, view=view, lanes=list(Lane))


@router.api_route(PATH + "/pause", methods=READ)
def ask_pause(request: Request, parts: PartsDep, actor: Run, scope: str = "", target: str = "") -> Response:
    """What pausing it means, and for how many mails."""
    with parts.session() as session:
        stop = desk.weigh_stop(session, actor, scope, target.strip())
    return parts.desk.page(request, "hold_pause.html", actor, stop=stop)


@router.post(PATH + "/pause")
def pause(fields: FormFields, parts: PartsDep, actor: Run) -> Response:
    """Stop it; a second time changes nothing."""
    scope, target = fields.get("scope", ""), fields.get("target", "").strip()
    with parts.session() as session:
        is_new = desk.pause(session, actor, scope, target, fields.get("reason", "").strip()[:200])
    name = f"{scope} {target}".strip()
    done = f"Paused {name}. What is due waits; Resume undoes it." if is_new else f"{name} was paused already."
    return parts.desk.go(PATH, done=done)


@router.api_route(PATH + "/resume", methods=READ)
def ask_resume(request: Request, parts: PartsDep, actor: Run, scope: str = "", target: str = "") -> Response:
    """What leaves when it goes on."""
    with parts.session() as session:
        stop = desk.weigh_stop(session, actor, scope, target.strip())
    return parts.desk.page(request, "hold_resume.html", actor, stop=stop)


@router.post(PATH + "/resume")
def resume(fields: FormFields, parts: PartsDep, actor: Run) -> Response:
    """Let it go on."""
    scope, target = fields.get("scope", ""), fields.get("target", "").strip()
    with parts.session() as session:
        was_on = desk.resume(session, actor, scope, target)
    name = f"{scope} {target}".strip()
    return parts.desk.go(PATH, done=f"Resumed {name}." if was_on else f"{name} was not paused.")


@router.api_route(PATH + "/release", methods=READ)
def ask_release(request: Request, parts: PartsDep, actor: See, hours: str = str(HOURS)) -> Response:
    """Why it stopped by itself, what is overdue, and what each choice would do."""
    stale_after = _hours(hours)
    with parts.session() as session:
        view = desk.see_release(session, actor, stale_after)
        return parts.desk.page(
            request,
            "hold_release.html",
            actor,
            view=view,
            hours=stale_after // timedelta(hours=1),
            policies=list(Policy),
            policy_meaning=MEANING,
            nothing_held=NOTHING_HELD,
        )


@router.post(PATH + "/release")
def release(fields: FormFields, parts: PartsDep, actor: Run) -> Response:
    """Do with what is overdue as chosen, and send again."""
    stale_after = _hours(fields.get("hours", ""))
    adopt = fields.get("adopt") == "yes"
    passed_over = let_go_on(parts, actor, fields.get("policy", ""), stale_after, adopt=adopt)
    return parts.desk.go(
        PATH, done=f"Released. {passed_over:,} mails were passed over; what is due leaves now."
    )


def let_go_on(parts: Parts, actor: Actor, policy: str, stale_after: timedelta, *, adopt: bool) -> int:
    """Release all that stopped by itself, in transactions of its own; how many mails were passed over."""
    with parts.session() as session:
        now = business_now(session)
        choice = desk.choose_release(session, actor, policy, stale_after, adopt=adopt)
    here = Installation(parts.settings.data_dir, parts.settings.instance_token)
    return carry_out(parts.session, choice, here, now, who=actor.who)


def _hours(words: str) -> timedelta:
    if not words.strip().isdecimal() or len(words) > 9 or int(words) > MOST_HOURS:
        raise Refused("After how many hours a mail is passed over is a whole number.")
    return timedelta(hours=int(words))
