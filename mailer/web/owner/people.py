"""People: who works here, whom a link is on its way to, and what each may do."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from mailer.accounts.invitations import Invited
from mailer.accounts.rights import MEANING, ROLES, Actor, Right, rights_of
from mailer.accounts.sessions import session_now
from mailer.desk import people
from mailer.errors import MailerError, Refused
from mailer.models import Role
from mailer.web.account.proof import has_password, proven
from mailer.web.deps import READ, FormFields, Parts, PartsDep
from mailer.web.signed_in import Manage

router = APIRouter()


def _beyond(role: Role) -> str:
    """What `role` may that the one before it may not."""
    before = rights_of(ROLES[ROLES.index(role) - 1]) if role != ROLES[0] else frozenset()
    return ", ".join(MEANING[right] for right in Right if right in rights_of(role) - before)


ROLE_WORDS = {role: _beyond(role) for role in ROLES}


@router.api_route("/desk/people", methods=READ)
def look(request: Request, parts: PartsDep, actor: Manage) -> Response:
    """Everybody, and the form that invites."""
    with parts.session() as session:
        now = session_now(session)
        staff = people.list_staff(session, actor, now)
        return parts.desk.page(
            request,
            "people.html",
            actor,
            staff=staff,
            roles=ROLE_WORDS,
            now=now,
            has_password=has_password(session, actor),
        )


@router.post("/desk/people")
def invite(request: Request, fields: FormFields, parts: PartsDep, actor: Manage) -> Response:
    """Send somebody a link; it is shown once to be copied, too."""
    with proven(parts, actor, fields) as session:
        invited = people.invite(
            session, actor, fields.get("email", ""), _role(fields.get("role", "")), session_now(session)
        )
    return _link(request, parts, actor, invited)


@router.post("/desk/people/invitations/{invitation_id}/withdraw")
def withdraw(invitation_id: int, parts: PartsDep, actor: Manage) -> Response:
    """Its link opens nothing any more."""
    with parts.session() as session:
        gone = people.withdraw(session, actor, invitation_id, session_now(session))
        return parts.desk.go("/desk/people", done=f"The invitation of {gone.email} opens nothing any more.")


@router.api_route("/desk/people/{operator_id}", methods=READ)
def one(request: Request, operator_id: int, parts: PartsDep, actor: Manage) -> Response:
    """Somebody, and what can be done about their login."""
    with parts.session() as session:
        found = people.get_colleague(session, actor, operator_id)
        return parts.desk.page(
            request,
            "colleague.html",
            actor,
            found=found,
            them=found.operator,
            roles=ROLE_WORDS,
            has_password=has_password(session, actor),
        )


@router.post("/desk/people/{operator_id}/role")
def role(operator_id: int, fields: FormFields, parts: PartsDep, actor: Manage) -> Response:
    """Another role, from their next page on."""
    with proven(parts, actor, fields) as session:
        them = people.change_role(session, actor, operator_id, _role(fields.get("role", "")))
        done = f"{them.email} is {them.role} from now on."
    # Who gave up being an owner sees people no more.
    still = operator_id != actor.operator_id or them.role == Role.OWNER
    return parts.desk.go(f"/desk/people/{operator_id}" if still else "/desk", done=done)


@router.post("/desk/people/{operator_id}/suspend")
def suspend(operator_id: int, parts: PartsDep, actor: Manage) -> Response:
    """Out everywhere, and in no more."""
    with parts.session() as session:
        them = people.suspend(session, actor, operator_id, session_now(session))
        done = f"{them.email} is signed out everywhere and cannot sign in."
    return parts.desk.go(f"/desk/people/{operator_id}", done=done)


@router.post("/desk/people/{operator_id}/restore")
def restore(operator_id: int, parts: PartsDep, actor: Manage) -> Response:
    """In again."""
    with parts.session() as session:
        them = people.restore(session, actor, operator_id)
        done = f"{them.email} can sign in again, as {them.role}."
    return parts.desk.go(f"/desk/people/{operator_id}", done=done)


@router.post("/desk/people/{operator_id}/remove")
def remove(operator_id: int, parts: PartsDep, actor: Manage) -> Response:
    """The login is gone for good."""
    with parts.session() as session:
        them = people.remove(session, actor, operator_id)
        return parts.desk.go("/desk/people", done=f"The login of {them.email} is gone.")


@router.post("/desk/people/{operator_id}/sign-out")
def sign_out(operator_id: int, parts: PartsDep, actor: Manage) -> Response:
    """Out everywhere; they can sign in again."""
    with parts.session() as session:
        ended = people.sign_out_everywhere(session, actor, operator_id, session_now(session))
    places = "1 place" if ended == 1 else f"{ended} places"
    return parts.desk.go(f"/desk/people/{operator_id}", done=f"They were signed out at {places}.")


@router.post("/desk/people/{operator_id}/factor")
def factor(operator_id: int, fields: FormFields, parts: PartsDep, actor: Manage) -> Response:
    """Their second factor is forgotten."""
    with proven(parts, actor, fields) as session:
        them = people.take_factor_away(session, actor, operator_id)
        done = f"{them.email} signs in with the password alone, until they set up a second factor again."
    return parts.desk.go(f"/desk/people/{operator_id}", done=done)


@router.post("/desk/people/{operator_id}/password")
def password(
    request: Request, operator_id: int, fields: FormFields, parts: PartsDep, actor: Manage
) -> Response:
    """A link to choose a new one."""
    with proven(parts, actor, fields) as session:
        invited = people.invite_back(session, actor, operator_id, session_now(session))
    return _link(request, parts, actor, invited)


def _link(request: Request, parts: Parts, actor: Actor, invited: Invited) -> Response:
    """The page that shows a link this once, and says whether its mail left."""
    link = f"{parts.base_url}/desk/join/{invited.secret}"
    return parts.desk.page(
        request,
        "link.html",
        actor,
        invitation=invited.invitation,
        link=link,
        failed=_mailed(parts, actor, invited, link),
    )


def _mailed(parts: Parts, actor: Actor, invited: Invited, link: str) -> str:
    """Empty when the mail left; otherwise why it did not."""
    try:
        with parts.session() as session:
            made = people.write_link_mail(session, actor, invited.invitation, link)
        parts.send_at_once(made)
    except MailerError as error:
        return str(error)
    return ""


def _role(word: str) -> Role:
    try:
        return Role(word)
    except ValueError:
        raise Refused(f"The role is one of {', '.join(ROLES)}.") from None
