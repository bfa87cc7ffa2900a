"""Who works here: inviting, changing roles, suspending; for owners."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from mailer.accounts import invitations, people
from mailer.accounts.invitations import Invited
from mailer.accounts.operators import get_operator
from mailer.accounts.rights import Actor, Right, needs
from mailer.delivery.one_mail import OneMail, from_sender, way_of
from mailer.delivery.roster import list_senders
from mailer.errors import NotFound
from mailer.models import Invitation, Operator, Role
from mailer.reports.people import Colleague, list_colleagues


@dataclass(frozen=True)
class Staff:
    """Everybody with a login, and whom a link is on its way to."""

    colleagues: Sequence[Colleague]
    invited: Sequence[Invitation]


@needs(Right.MANAGE)
def list_staff(session: Session, _: Actor, now: datetime) -> Staff:
    """The page of people."""
    return Staff(list_colleagues(session), invitations.open_invitations(session, now))


@needs(Right.MANAGE)
def get_colleague(session: Session, _: Actor, operator_id: int) -> Colleague:
    """One of them; raises NotFound."""
    get_operator(session, operator_id)
    return next(one for one in list_colleagues(session) if one.operator.id == operator_id)


@needs(Right.MANAGE)
def invite(session: Session, actor: Actor, email: str, role: Role, now: datetime) -> Invited:
    """Invite somebody; raises BadAddress or Refused."""
    return invitations.invite(session, actor, email, role, now)


@needs(Right.MANAGE)
def invite_back(session: Session, actor: Actor, operator_id: int, now: datetime) -> Invited:
    """A link to a new password for somebody who works here; raises NotFound or Refused."""
    return invitations.invite_back(session, actor, operator_id, now)


@needs(Right.MANAGE)
def withdraw(session: Session, actor: Actor, invitation_id: int, now: datetime) -> Invitation:
    """Take an invitation back; raises NotFound."""
    return invitations.withdraw(session, actor, invitation_id, now)


@needs(Right.MANAGE)
def write_link_mail(session: Session, actor: Actor, invitation: Invitation, link: str) -> OneMail:
    """The mail with somebody's link, from the first sender; raises NotFound when there is none yet."""
    senders = list_senders(session)
    if not senders:
        raise NotFound("There is no sender yet, so no mail could be sent.")
    is_new = invitation.operator_id is None
    words = INVITED if is_new else INVITED_BACK
    return from_sender(
        senders[0],
        way_of(session, senders[0]),
        to=invitation.email,
        subject=f"You are invited to Steadypost at {senders[0].name}" if is_new else "A new password",
        text=words.format(
            who=actor.name or actor.who,
            role=invitation.role,
            name=senders[0].name,
            link=link,
            day=f"{invitation.expires_at:%d %B %Y, %H:%M} UTC",
        ),
    )


@needs(Right.MANAGE)
def change_role(session: Session, actor: Actor, operator_id: int, role: Role) -> Operator:
    """Give somebody another role; raises NotFound, or Refused for the last owner."""
    return people.change_role(session, actor, operator_id, role)


@needs(Right.MANAGE)
def suspend(session: Session, actor: Actor, operator_id: int, now: datetime) -> Operator:
    """Let somebody in no more; raises NotFound, or Refused for oneself and the last owner."""
    return people.suspend(session, actor, operator_id, now)


@needs(Right.MANAGE)
def restore(session: Session, actor: Actor, operator_id: int) -> Operator:
    """Let somebody in again; raises NotFound."""
    return people.restore(session, actor, operator_id)


@needs(Right.MANAGE)
def remove(session: Session, actor: Actor, operator_id: int) -> Operator:
    """Forget somebody's login; raises NotFound, or Refused for oneself and the last owner."""
    return people.remove(session, actor, operator_id)


@needs(Right.MANAGE)
def sign_out_everywhere(session: Session, actor: Actor, operator_id: int, now: datetime) -> int:
    """Sign somebody out; at how many browsers. Raises NotFound."""
    return people.sign_out_everywhere(session, actor, operator_id, now)


@needs(Right.MANAGE)
def take_factor_away(session: Session, actor: Actor, operator_id: int) -> Operator:
    """For who lost their second factor; raises NotFound."""
    return people.take_factor_away(session, actor, operator_id)


INVITED = """Hello,

{who} invites you to work on the mails of "{name}" in Steadypost, as {role}.

This link makes your login. It works once, until {day}:

{link}

If you did not expect this, leave it alone: nothing happens without you.
"""

INVITED_BACK = """Hello,

{who} asks you to choose a new password for Steadypost at "{name}".

This link works once, until {day}:

{link}

If you did not expect this, ask them: until the link is used your password stays as it is.
"""
