"""A mail shown again in the browser, as its reader got it."""

from __future__ import annotations

from sqlalchemy.orm import Session

from mailer.delivery.claim import read_mail
from mailer.delivery.compose import Composer
from mailer.delivery.facts import course_facts, said_in
from mailer.links import BadLink, Signer
from mailer.render.personalize import Rendered


def show_mail(session: Session, delivery_id: int, signer: Signer, base_url: str) -> Rendered:
    """Subject, HTML and text of a delivery; raises BadLink when it is gone, CannotRender when broken."""
    found = read_mail(session, delivery_id)
    if found is None:
        raise BadLink
    row, setting = found
    said = said_in(session, [row], setting)
    return Composer(signer, base_url, setting, course_facts(session, [row]), said=said).render(row)
