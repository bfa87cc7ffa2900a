"""What is wrong with sending, said in sentences that lead to what can be done."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from mailer.models import Lane
from mailer.reports.findings import Finding, LastHour, Way, findings, headline
from mailer.reports.queues import HoldStatus, LaneStatus, QueueStatus

AT = datetime(2027, 3, 1, 9, tzinfo=UTC)
QUEUES = ("control", "errands", *Lane)
WELL = Way(1, "default", "well", "", is_used=True, is_used_up=False)


def lane(name: str, late: float = 0.0, per_second: float | None = None, quarantined: int = 0) -> LaneStatus:
    return LaneStatus(
        name, 100 if late else 0, late or None, 0, 0, per_second, 0, quarantined, 0, late or None
    )


def status(
    *lanes: LaneStatus, holds: Sequence[HoldStatus] = (), silent: str = "", redis: bool = True
) -> QueueStatus:
    given = {one.lane: one for one in lanes}
    every = [given.get(name) or lane(name) for name in Lane]
    beats = {queue: 400.0 if queue == silent else 2.0 for queue in QUEUES}
    return QueueStatus(AT, every, dict.fromkeys(QUEUES, 0 if redis else None), [], beats, holds)


def found(now: QueueStatus, *ways: Way, hour: LastHour | None = None) -> list[Finding]:
    return findings(now, ways or (WELL,), hour or LastHour())


def kinds(*args: object, **named: object) -> list[str]:
    return [str(one.kind) for one in found(*args, **named)]  # type: ignore[arg-type]


def test_nothing_is_wrong_when_mail_flows() -> None:
    now = status(lane("course", late=5, per_second=10))
    assert found(now) == []
    assert headline(now, [WELL], []).words == "Mail flows; nothing is late."


def test_a_confirmation_is_late_after_two_minutes_and_a_lesson_after_ten() -> None:
    assert kinds(status(lane("transactional", late=121, per_second=1))) == ["lane-late"]
    assert kinds(status(lane("course", late=599, per_second=1))) == []
    assert kinds(status(lane("course", late=601, per_second=1))) == ["lane-late"]


def test_a_campaign_that_leaves_as_fast_as_it_may_is_no_alarm_but_one_that_stands_still_is() -> None:
    assert kinds(status(lane("campaign", late=7200, per_second=40))) == []
    assert kinds(status(lane("campaign", late=7200))) == ["not-draining"]


def test_the_headline_names_the_likeliest_cause() -> None:
    now = status(lane("course", late=1800))
    out = Way(1, "default", "out", "535 wrong password", is_used=True, is_used_up=False)
    line = headline(now, [out], found(now, out))
    assert line.words == "Course mail is 30 min late: transport default is out (535 wrong password)."
    assert (line.tone, line.path) == ("bad", "/desk/operating#transport-out")


def test_a_limit_that_is_used_up_is_a_cause_and_no_trouble_by_itself() -> None:
    used_up = Way(1, "default", "well", "", is_used=True, is_used_up=True)
    assert found(status(), used_up) == []
    (late,) = found(status(lane("course", late=1800, per_second=0.1)), used_up)
    assert "what transport default may send for now is used up" in late.words


def test_what_somebody_paused_is_no_trouble() -> None:
    paused = HoldStatus("person", "lane", "course", "a wrong link", AT)
    now = status(lane("course", late=7200), holds=[paused])
    assert found(now) == []
    assert headline(now, [WELL], []).words == "Mail flows; paused: lane course."


def test_what_stopped_by_itself_is_said_first() -> None:
    stopped = HoldStatus("outage", "lane", "course", "no sign of life for 2 days", AT)
    now = status(holds=[stopped], silent="errands")
    assert kinds(now) == ["on-hold", "no-worker"]
    assert headline(now, [WELL], found(now)).path == "/desk/holds"


def test_a_campaign_that_its_canary_stopped_is_decided_about_at_the_campaign() -> None:
    stopped = HoldStatus("canary", "campaign", "spring", "3 of 50 bounced", AT)
    (one,) = found(status(holds=[stopped]))
    assert (one.kind, one.path) == ("canary-stopped", "/desk/campaigns/spring")
    assert headline(status(holds=[stopped]), [WELL], [one]).path == "/desk/campaigns/spring"


def test_redis_that_is_away_is_said_once_and_not_as_five_queues_without_workers() -> None:
    assert kinds(status(silent="course", redis=False)) == ["broker-away"]


def test_a_transport_that_nobody_uses_may_be_out() -> None:
    assert found(status(), WELL, Way(2, "old", "out", "", is_used=False, is_used_up=False)) == []


@pytest.mark.parametrize(
    ("hour", "kind"),
    [
        (LastHour(sent=94, refused=6), ["bounces-high"]),  # 6 of 100
        (LastHour(sent=95, refused=5), []),  # 5 % is not more than 5 %
        (LastHour(sent=40, refused=9), []),  # of 49 mails nothing can be said
        (LastHour(sent=69, put_off=31), ["deferrals-high"]),
        (LastHour(sent=0, sent_in_a_day=2000, complaints_in_a_day=3), ["complaints-high"]),
        (LastHour(sent=0, sent_in_a_day=100, complaints_in_a_day=2), []),  # two people are too few
    ],
)
def test_rates_are_held_against_what_receivers_bear(hour: LastHour, kind: list[str]) -> None:
    assert kinds(status(), hour=hour) == kind


def test_every_finding_leads_to_what_can_be_done() -> None:
    now = status(lane("course", late=1800, quarantined=2), silent="errands")
    for one in found(now, hour=LastHour(sent=50, refused=60)):
        assert one.path.startswith("/desk/")
        assert one.words.endswith(".")


def test_without_the_worker_that_asks_for_heartbeats_only_that_one_is_named() -> None:
    beats = dict.fromkeys(QUEUES, 400.0)
    now = QueueStatus(AT, [lane(name) for name in Lane], dict.fromkeys(QUEUES, 0), [], beats, [])
    assert [one.target for one in found(now)] == ["control"]
