"""The archive: which campaigns anybody may read."""

from __future__ import annotations

from sqlalchemy.orm import Session

from mailer.accounts.record import record
from mailer.accounts.rights import Actor, Right, needs
from mailer.launch import archive
from mailer.reports.archive import Issues, list_sent


@needs(Right.SEE)
def list_campaigns(session: Session, _: Actor, before: int | None = None) -> Issues:
    """Every campaign that may be public, the newest first."""
    return list_sent(session, before)


@needs(Right.SEND)
def set_public(session: Session, actor: Actor, slug: str, base_url: str, *, is_public: bool) -> None:
    """Let anybody read a campaign, or nobody any more; raises NotFound or Refused."""
    if archive.set_public(session, slug, base_url, is_public=is_public):
        record(session, actor, "campaign public" if is_public else "campaign private", 1, campaign=slug)
