"""The first minutes: nobody has a login, nothing has a sender, and no mail has ever left."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer.accounts.operators import add_operator, is_set_up
from mailer.accounts.rights import at_the_machine
from mailer.accounts.sessions import begin_session
from mailer.delivery.one_mail import OneMail, from_sender, way_of
from mailer.delivery.roster import add_transport, list_senders, use_transport
from mailer.delivery.senders import add_sender
from mailer.errors import NotFound, Refused
from mailer.models import Instance, Operator, Role
from mailer.sealing import Seal

FIRST_SENDER = "news"
FIRST_TRANSPORT = "relay"
CONVERSATIONS = 4
WHO = "setup page"


class SetUpAlready(Refused):
    """Somebody has a login here already."""


@dataclass(frozen=True)
class FirstWishes:
    """What the setup page asks: the owner's login, and who mails come from (the fields of a sender)."""

    name: str
    email: str
    password: str
    sender: Mapping[str, str]
    smtp_url: str = ""
    """The mail server that the sender's mails go by, if not by the one of STEADYPOST_SMTP_URL."""


def set_up(session: Session, seal: Seal, wishes: FirstWishes, now: datetime, *, browser: str) -> str:
    """Make the owner and the first sender, and sign the owner in; returns the secret for the cookie.

    The server of `smtp_url` is not asked here: `check_server` takes seconds, and belongs before.

    Raises SetUpAlready, and Refused or BadAddress for a wish that cannot be; then nothing was made.
    """
    # Two who press the button together: the second waits here and finds the first.
    session.execute(select(Instance.id).where(Instance.id == 1).with_for_update())
    if is_set_up(session):
        raise SetUpAlready("Somebody has a login here already; sign in, or ask them for an invitation.")
    owner = add_operator(
        session,
        at_the_machine(WHO),
        wishes.email,
        Role.OWNER,
        now,
        name=wishes.name,
        password=wishes.password,
    )
    if not list_senders(session):
        sender = add_sender(session, FIRST_SENDER, wishes.sender, WHO)
        if wishes.smtp_url:
            relay = add_transport(session, seal, FIRST_TRANSPORT, wishes.smtp_url, CONVERSATIONS, WHO)
            use_transport(session, sender, relay, 1, WHO)
    return begin_session(session, owner, now, needs_factor=False, browser=browser, way="password")


def first_mail(session: Session, operator: Operator, slug: str = "") -> OneMail:
    """A mail from the sender `slug` (or the first) to who asks for it; raises NotFound without a sender."""
    senders = [one for one in list_senders(session) if slug in ("", one.slug)]
    if not senders:
        raise NotFound("There is no sender yet; add one first.")
    sender, way = senders[0], way_of(session, senders[0])
    text = FIRST_TEXT.format(
        name=operator.name or operator.email, sender=sender.name, slug=sender.slug, way=way.slug
    )
    return from_sender(sender, way, to=operator.email, subject="Your first mail from Steadypost", text=text)


FIRST_TEXT = """Hello {name},

this mail was sent by your own Steadypost, from "{sender}", by the transport {way}. It arrived: so will
your courses and campaigns.

If it lies in the spam folder, the domain of the From address does not yet say that this server may send
for it. `steadypost sender dkim new {slug}` prints a record that does.
"""
