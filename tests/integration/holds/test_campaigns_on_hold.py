"""A campaign whose hour came during an outage: it waits for a choice like everything else that is late."""

from __future__ import annotations

from datetime import timedelta

import pytest

from mailer.db import session_scope
from mailer.launch.backlog import backlog
from mailer.launch.release import begin, choose, finish, pass_over_mails, write_campaigns
from mailer.schedule.catchup import Policy
from tests.support.campaigns import SPRING, add_letters, draft, put_people, set_going, write_campaign
from tests.support.place import Place

WEEK = timedelta(days=7)


@pytest.fixture
def scheduled(place: Place) -> Place:
    """Three people, and a campaign for them that leaves in two hours."""
    house = place.house
    place.data_dir.mkdir(exist_ok=True)
    with session_scope(house.sessions) as session:
        add_letters(session)
        put_people(session, [1, 2, 3], "letters", house.at)
        draft(session, [write_campaign(place.data_dir)], house.at)
    set_going(house, house.at + timedelta(hours=2))
    return place


def test_a_campaign_whose_hour_came_in_an_outage_is_on_hold(scheduled: Place) -> None:
    scheduled.silence(WEEK)
    scheduled.look()
    assert scheduled.holds() == [("outage", "lane", "course"), ("outage", "lane", "campaign")]


@pytest.mark.parametrize(("policy", "states"), [(Policy.SHIFT, "planned"), (Policy.SKIP_STALE, "skipped")])
def test_its_mails_are_counted_by_its_slug_and_do_what_the_policy_says(
    scheduled: Place, policy: Policy, states: str
) -> None:
    scheduled.silence(WEEK)
    scheduled.look()
    now = scheduled.house.at
    with session_scope(scheduled.house.sessions) as session:
        choice = choose(session, policy)
        action_id = begin(session, choice, now, who="ann")
        assert write_campaigns(session, choice, now) == 3
    with session_scope(scheduled.house.sessions) as session:
        (entry,) = backlog(session, now).overdue
        assert (entry.lane, entry.name, entry.people, entry.mails) == ("campaign", SPRING, 3, 3)
        passed_over = pass_over_mails(session, choice, now)
        assert passed_over == entry.effects[policy].passed_over
        finish(session, choice, scheduled.here, now, action_id=action_id, mails=passed_over)
    assert scheduled.house.states() == {states: 3}
