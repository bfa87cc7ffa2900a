"""A campaign's preflight with each finding at its place in what was written, where that is kept."""

from __future__ import annotations

import logging
import math
from dataclasses import replace
from datetime import datetime

from sqlalchemy.orm import Session

from mailer.audience.aim import Aim
from mailer.content.course_source import Problem
from mailer.db import business_now, clock_now
from mailer.errors import MailerError
from mailer.launch.campaign_draft import check_text
from mailer.launch.campaign_source import find_source, text_of
from mailer.launch.check import sorted_problems
from mailer.launch.checked import keep_check, keep_refusal, next_to_check
from mailer.launch.link_checks import Links
from mailer.launch.mailing import Mailing, of_campaign, of_files
from mailer.launch.preflight import look, preflight
from mailer.links import Signer
from mailer.models import CheckedKind
from mailer.schedule.campaigns import find_campaign

OUR_FAULT = "Something went wrong on our side when it was checked, and is in the log."

log = logging.getLogger(__name__)


def mailing_of(session: Session, slug: str) -> tuple[Mailing | None, tuple[Problem, ...]]:
    """What would go out, and what its text shows; no mailing while its text has errors. Raises NotFound."""
    kept = find_source(session, slug)
    if kept is None:
        return of_campaign(session, slug), ()
    checked = check_text(session, slug, text_of(kept))
    if checked.compiled is None:
        return None, checked.problems
    mailing, campaign = of_files(session, checked.compiled), find_campaign(session, slug)
    if campaign is not None:
        mailing = replace(mailing, aim=mailing.aim.again_as(Aim.of(campaign.aim)))
    return mailing, checked.problems


def links_of(session: Session, slug: str, signer: Signer, base_url: str, now: datetime) -> Links:
    """The web addresses that its mails lead to; none while its text has errors."""
    mailing, _ = mailing_of(session, slug)
    return look(session, mailing, signer, base_url, now, math.inf).links if mailing is not None else {}


def findings(session: Session, slug: str, signer: Signer, base_url: str, now: datetime) -> list[Problem]:
    """Everything that can be found about a draft without asking another machine; raises NotFound.

    What was found is kept with the draft, for home.
    """
    mailing, problems = mailing_of(session, slug)
    found = preflight(session, mailing, signer, base_url, now) if mailing is not None else []
    everything = sorted_problems(list(dict.fromkeys([*problems, *found])))
    kept = find_source(session, slug)
    keep_check(session, CheckedKind.CAMPAIGN, slug, kept.digest if kept else "", everything)
    return everything


def check_again(session: Session, signer: Signer, base_url: str) -> bool:
    """Check the scheduled campaign whose last check is the oldest, if that is old; whether there was one.

    What was without errors when somebody said yes may have some by the time it leaves. One that cannot be
    checked does not keep the others from it.
    """
    slug = next_to_check(session, clock_now(session))
    if slug is None:
        return False
    try:
        with session.begin_nested():
            findings(session, slug, signer, base_url, business_now(session))
    except MailerError as error:
        _keep_why(session, slug, str(error))
    except Exception:
        log.exception("A campaign cannot be checked", extra={"event": "campaign.unchecked", "campaign": slug})
        _keep_why(session, slug, OUR_FAULT)
    return True


def _keep_why(session: Session, slug: str, why: str) -> None:
    kept = find_source(session, slug)
    keep_refusal(session, CheckedKind.CAMPAIGN, slug, kept.digest if kept else "", why)
