"""Putting a campaign into the archive, and taking it out again."""

from __future__ import annotations

from sqlalchemy.orm import Session

from mailer.errors import Refused
from mailer.render.personalize import CannotRender
from mailer.reports.archive import editions_of, render_for_nobody
from mailer.schedule.campaigns import get_campaign


def set_public(session: Session, slug: str, base_url: str, *, is_public: bool) -> bool:
    """Let anybody read a campaign in the archive, or nobody any more; False when it was so.

    Raises NotFound, or Refused for one that cannot be read without its reader's own values.
    """
    campaign = get_campaign(session, slug)
    if campaign.is_public == is_public:
        return False
    if is_public:
        try:
            # Of an undecided test each variant, for any may win.
            for edition in editions_of(campaign):
                for language in edition.messages:
                    render_for_nobody(session, campaign, edition, language, base_url)
        except CannotRender as error:
            raise Refused(
                f"{slug} cannot be shown to anybody: it needs its reader's own values ({error.what}). "
                "A default(…) beside them would do for the next one."
            ) from None
    campaign.is_public = is_public
    session.flush()
    return True
