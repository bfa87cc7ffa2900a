"""A test mail to oneself: the end of the first run, and the proof at any later time that mail leaves."""

from __future__ import annotations

from sqlalchemy.orm import Session

from mailer.accounts.operators import get_operator
from mailer.accounts.record import record
from mailer.accounts.rights import Actor, Right, needs
from mailer.delivery.one_mail import OneMail
from mailer.delivery.roster import list_senders
from mailer.launch.first_run import first_mail


@needs(Right.RUN)
def write_first_mail(session: Session, actor: Actor, sender: str = "") -> OneMail:
    """A mail from the sender of this slug (or the first) to the actor's own address; noted as sent."""
    made = first_mail(session, get_operator(session, actor.operator_id or 0), sender)
    record(session, actor, "mail test", 1, transport=made.transport)
    return made


@needs(Right.RUN)
def senders_to_try(session: Session, _: Actor) -> list[tuple[str, str]]:
    """Each sender's slug, and its name with its address."""
    return [(one.slug, f"{one.name} <{one.email}>") for one in list_senders(session)]
