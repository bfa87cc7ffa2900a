"""New zone rules: what was worked out by the old ones, and has not left, is worked out anew.

Countries change their clocks at weeks' notice, and an upgrade brings the rules. Lessons are decided anew by
the next tick; campaigns that go by local time have written each reader's moment down.
"""

from __future__ import annotations

import logging
from datetime import datetime

from sqlalchemy import select, true
from sqlalchemy.orm import Session

from mailer.audience.aim import Aim, narrowing
from mailer.audience.recipients import count_by_zone, list_ids_of
from mailer.clock import rules_release
from mailer.errors import MailerError
from mailer.models import Campaign, CampaignState, Instance
from mailer.schedule.campaigns import move_with_rules
from mailer.schedule.enroll import look_anew
from mailer.schedule.local_time import LocalTime, spread

log = logging.getLogger(__name__)


def heed_zone_rules(session: Session, now: datetime) -> bool:
    """Work out anew what has not left if this process knows newer rules than those it was worked out by.

    A process that was not upgraded yet changes nothing. Whether there was anything to do.
    """
    release = rules_release()
    known = select(Instance.zone_rules).where(Instance.id == 1)
    if session.execute(known).scalar_one_or_none() in (None, release):
        return False
    instance = session.execute(
        select(Instance).where(Instance.id == 1).with_for_update().execution_options(populate_existing=True)
    ).scalar_one()
    # Releases are named by year and letter, in their order: 2026a, 2026b.
    if instance.zone_rules >= release:
        return False
    log.info("Due moments are worked out anew by the zone rules %s", release)
    instance.zone_rules = release
    look_anew(session, true(), now)
    by_local_time = select(Campaign).where(
        Campaign.local != {}, Campaign.state.in_([CampaignState.SCHEDULED, CampaignState.SENDING])
    )
    for campaign in session.execute(by_local_time.order_by(Campaign.id).with_for_update()).scalars().all():
        if campaign.state == CampaignState.SCHEDULED:
            _move_its_beginning(session, campaign, now)
        move_with_rules(session, campaign, now)
    return True


def _move_its_beginning(session: Session, campaign: Campaign, now: datetime) -> None:
    """Its rows are written when the first of its readers' clocks show the time."""
    local = LocalTime.of(campaign.local)
    if local is None:
        return
    try:
        narrowed = narrowing(session, Aim.of(campaign.aim), now)
        zones = count_by_zone(session, list_ids_of(session, campaign.list_ids), narrowed.chosen)
        campaign.starts_at = spread(local, zones).first
    except MailerError:
        return  # whom it is for cannot be told at the moment: the tick says so when it begins
