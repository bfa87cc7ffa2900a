"""Mails to one person, because of something that they did; and the templates of such mails."""

from __future__ import annotations

from sqlalchemy.orm import Session

from mailer.accounts.record import record
from mailer.accounts.rights import Actor, Right, needs
from mailer.audience.subscribers import Person
from mailer.db import business_now
from mailer.launch import mails
from mailer.launch.mails import Sent, Template, Text


@needs(Right.SEE)
def list_templates(session: Session, _: Actor, after: str, limit: int) -> list[Template]:
    """Templates by their names, those after the name `after`."""
    return mails.list_templates(session, after, limit)


@needs(Right.WRITE)
def put_template(session: Session, actor: Actor, name: str, text: Text) -> Template:
    """Keep a mail under a name, in one language; raises FaultyFiles or Refused."""
    mails.put_template(session, name, text)
    record(session, actor, "template put", 1, template=name, language=text.language)
    return mails.get_template(session, name)


@needs(Right.SEND)
def send_mail(session: Session, actor: Actor, person: Person, list_: str, what: str | Text) -> Sent:
    """Send one mail by the sender of a list; raises NotFound, FaultyFiles, BadAddress or Refused."""
    sent = mails.send_mail(session, person, list_, what, business_now(session))
    record(session, actor, "mail send", 1, list=list_, delivery=sent.delivery_id)
    return sent
