"""Who a page is for, as its link says."""

from __future__ import annotations

from sqlalchemy.orm import Session

from mailer.errors import MailerError
from mailer.reports.reader import ReaderPage, reader_of
from mailer.web.deps import Parts


class OnlyATest(MailerError):
    """This was a test mail; nothing was changed."""


def delivery_of(parts: Parts, token: str) -> int:
    """The delivery that a link was made for; raises BadLink, or OnlyATest for a test mail's link."""
    delivery_id = parts.signer.delivery_id(token)
    if delivery_id == 0:
        raise OnlyATest
    return delivery_id


def read_reader(parts: Parts, session: Session, token: str) -> ReaderPage:
    """The reader of the mail that a link came in; raises BadLink or OnlyATest."""
    return reader_of(session, delivery_of(parts, token))


def masked(address: str) -> str:
    """An address that its owner knows again and nobody else learns: mails get forwarded, links and all."""
    local, _, domain = address.rpartition("@")
    return f"{local[:1]}••@{domain}"
