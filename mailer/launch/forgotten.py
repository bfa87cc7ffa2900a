"""The mail to somebody who works here and has forgotten their password."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from mailer.accounts.invitations import FORGOTTEN, find_way_back
from mailer.delivery.one_mail import OneMail, from_sender, way_of
from mailer.delivery.roster import list_senders


def find_forgotten_mail(session: Session, email: str, base_url: str, now: datetime) -> OneMail | None:
    """The mail with their link, from the first sender; None when nobody is to get one or none can leave."""
    senders = list_senders(session)
    invited = find_way_back(session, email, now) if senders else None
    if invited is None:
        return None
    return from_sender(
        senders[0],
        way_of(session, senders[0]),
        to=invited.invitation.email,
        subject="A new password for Steadypost",
        text=WORDS.format(
            name=senders[0].name,
            minutes=int(FORGOTTEN.total_seconds() // 60),
            link=f"{base_url}/desk/join/{invited.secret}",
        ),
    )


WORDS = """Hello,

somebody asked for a new password for your login to Steadypost at "{name}".

This link lets you choose one. It works once, for {minutes} minutes, and signs you out everywhere else:

{link}

If it was not you, leave this alone: until the link is used your password stays as it is.
"""
