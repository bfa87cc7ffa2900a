"""What a reader's pace, answers and the course's rules make of what comes next, worked by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time

from mailer.clock import local_date
from mailer.schedule.catchup import Policy
from mailer.schedule.decide import Decision, Finish, Send, Skip, Stop, Wait, Ways, after, decide
from mailer.schedule.place import Place, StepPlan
from mailer.schedule.timing import Anchor, Timing

# Two weeks: their checklists on days 2 and 9, a lesson between them, and the end on day 16.
STEPS = (
    StepPlan(1, "introduction", 1, time(8), 11),
    StepPlan(2, "week-1", 2, time(8), 12, week=1),
    StepPlan(3, "why", 5, time(8), 13),
    StepPlan(4, "week-2", 9, time(8), 14, week=2),
    StepPlan(5, "closing", 16, time(8), 15),
)
GENTLE = StepPlan(6, "week-1-gentle", 2, time(8), 16, easier_than="week-1")
DAY_0 = date(2026, 3, 1)  # a Sunday, so day 9 is Tuesday 10 March


def at(day: int, hour: int = 8, minute: int = 0) -> datetime:
    """A moment of March 2026, in UTC, where this reader lives."""
    return datetime(2026, 3, day, hour, minute, tzinfo=UTC)


def reader(last_day: int, **facts: object) -> Place:
    left_on = date(2026, 3, 1 + last_day)
    return replace(Place("Etc/UTC", Anchor(DAY_0, 0), last_day, last_left_on=left_on), **facts)  # type: ignore[arg-type]


def lived(place: Place, now: datetime, ways: Ways | None = None) -> list[tuple[str, int]]:
    """(step, day of the month) of all that follows, each mail leaving when it may."""
    mails = []
    while not isinstance(decision := decide(place, STEPS, now, ways or Ways()), Finish):
        match decision:
            case Wait(until, anchor):
                place, now = replace(place, anchor=anchor), until
            case Send() as send:
                mails.append((send.step.key, now.day))
                place = after(place, send, STEPS, local_date(now, place.zone))
            case _:
                raise AssertionError(decision)
    return mails


def key_of(decision: Decision) -> str:
    assert isinstance(decision, Send), decision
    return decision.step.key


def test_silence_and_done_carry_on() -> None:
    assert key_of(decide(reader(5), STEPS, at(10))) == "week-2"
    assert key_of(decide(reader(5, answers=((1, "done"),)), STEPS, at(10))) == "week-2"


def test_not_yet_repeats_the_week_once_and_all_that_follows_comes_a_week_later() -> None:
    # Week 1 again on the 10th instead of week 2; the week takes 9 - 2 = 7 days, so week 2 comes on the 17th
    # and the closing 7 days after it.
    mails = lived(reader(5, answers=((1, "not-yet"),)), at(8))
    assert mails == [("week-1", 10), ("week-2", 17), ("closing", 24)]


def test_a_week_that_was_repeated_and_is_still_not_done_is_followed_by_its_gentler_version_once() -> None:
    again = reader(5, answers=((1, "not-yet"),), repeats=((1, 1),))
    assert key_of(decide(again, STEPS, at(10), Ways((GENTLE,)))) == "week-1-gentle"
    assert key_of(decide(again, STEPS, at(10))) == "week-2"
    thrice = replace(again, repeats=((1, 2),))
    assert key_of(decide(thrice, STEPS, at(10), Ways((GENTLE,)))) == "week-2"


def test_too_hard_asks_for_the_gentler_version_at_once() -> None:
    answered = reader(5, answers=((1, "too-hard"),))
    mails = lived(answered, at(8), Ways((GENTLE,)))
    assert mails == [("week-1-gentle", 10), ("week-2", 17), ("closing", 24)]


def test_the_last_week_is_repeated_before_the_end() -> None:
    mails = lived(reader(9, answers=((2, "not-yet"),)), at(11))
    # The closing's own day is the 17th; week 2 takes 7 days more.
    assert mails == [("week-2", 17), ("closing", 24)]


def test_a_lesson_within_the_week_does_not_wait_for_the_answer() -> None:
    assert key_of(decide(reader(2, answers=((1, "not-yet"),)), STEPS, at(6))) == "why"


def test_the_next_lesson_now_leaves_at_any_hour_and_the_rest_moves_up() -> None:
    # Asked on the 4th at 23:00: "why" (day 5) leaves then, and week 2 comes 9 - 5 = 4 days later.
    asked = reader(2, is_asked=True)
    sent = decide(asked, STEPS, at(4, 23))
    assert key_of(sent) == "why"
    assert lived(asked, at(4, 23)) == [("why", 4), ("week-2", 8), ("closing", 15)]


def test_asking_twice_on_one_day_gives_two_mails_but_never_while_one_is_on_its_way() -> None:
    again = reader(2, is_asked=True, last_left_on=date(2026, 3, 4))
    assert key_of(decide(again, STEPS, at(4, 9))) == "why"
    on_its_way = replace(again, is_last_open=True)
    assert isinstance(decide(on_its_way, STEPS, at(4, 9)), Wait)


def test_a_weekly_pace_counts_mails_not_days() -> None:
    assert lived(reader(1, gap=7, anchor=Anchor(date(2026, 3, 2), 1)), at(3)) == [
        ("week-1", 9),
        ("why", 16),
        ("week-2", 23),
        ("closing", 30),
    ]


def test_ones_own_hour_and_weekdays_take_the_place_of_the_authors() -> None:
    # Only Saturdays at 19:30: day 5 would be Friday the 6th, so Saturday the 7th.
    own = reader(2, send_time=time(19, 30), weekdays=0b0100000)
    decision = decide(own, STEPS, at(5))
    assert isinstance(decision, Wait)
    assert decision.until == at(7, 19, 30)


def test_after_its_window_a_step_waits_for_the_next_one() -> None:
    steps = (StepPlan(1, "morning", 1, time(8), 11, timing=Timing(until=time(10))),)
    place = Place("Etc/UTC", Anchor(DAY_0, 0), 0)
    assert isinstance(decide(place, steps, at(2, 9, 59)), Send)
    late = decide(place, steps, at(2, 10))
    assert isinstance(late, Wait)
    assert late.until == at(3, 8)


VARIANTS = (
    StepPlan(1, "for-runners", 1, time(8), 11, condition='tag "runner"', instead_of="for-all"),
    StepPlan(2, "for-all", 1, time(8), 12),
    StepPlan(3, "for-members", 2, time(8), 13, condition='tag "member"'),
    StepPlan(4, "end", 3, time(8), 14),
)


def test_a_variant_goes_to_those_who_meet_its_rule() -> None:
    place = Place("Etc/UTC", Anchor(DAY_0, 0), 0, holds=frozenset({'tag "runner"'}))
    assert key_of(decide(place, VARIANTS, at(2))) == "for-runners"
    assert key_of(decide(replace(place, holds=frozenset()), VARIANTS, at(2))) == "for-all"


def test_a_step_whose_rule_is_not_met_is_passed_over_when_it_comes_due_not_before() -> None:
    place = Place("Etc/UTC", Anchor(DAY_0, 0), 1, last_left_on=date(2026, 3, 2), holds=frozenset())
    waits = decide(place, VARIANTS, at(2, 9))
    assert isinstance(waits, Wait)
    assert waits.until == at(3)
    passed_over = decide(place, VARIANTS, at(3))
    assert isinstance(passed_over, Skip)
    assert [step.key for step in passed_over.steps] == ["for-members"]


def test_a_rule_that_ends_the_course_ends_it_before_anything_else() -> None:
    assert decide(reader(2, stop='tag "done"'), STEPS, at(6)) == Stop('tag "done"')


def test_an_extra_step_comes_before_the_next_and_the_rest_keeps_its_distance() -> None:
    # Step 4 was put in behind the reader's back: it comes on the 6th, their next one (day 9 after day 5) on
    # the 10th as planned, because the 6th was day 5's own date.
    extra = StepPlan(7, "new", 3, time(8), 17)
    steps = (*STEPS[:2], extra, *STEPS[2:])
    place = reader(5, extras=(7,))
    first = decide(place, steps, at(7))
    assert isinstance(first, Send)
    assert (first.step.key, first.is_extra) == ("new", True)
    then = after(place, first, steps, date(2026, 3, 7))
    assert (then.extras, then.last_day) == ((), 5)


def test_a_last_extra_comes_after_all_others_and_a_retired_one_is_forgotten() -> None:
    assert isinstance(decide(reader(16, last_extras=(99,)), STEPS, at(20)), Finish)
    extra = StepPlan(7, "new", 3, time(8), 17)
    steps = (*STEPS[:2], extra, *STEPS[2:])
    assert key_of(decide(reader(16, last_extras=(7,)), steps, at(20))) == "new"


def test_a_retired_extra_takes_no_other_one_with_it() -> None:
    extra = StepPlan(7, "new", 3, time(8), 17)
    steps = (*STEPS[:2], extra, *STEPS[2:])
    assert key_of(decide(reader(16, last_extras=(99, 7)), steps, at(20))) == "new"
    # What has left is asked for no more, whatever was retired stood before it.
    for extras, last_extras in (((99, 7), ()), ((), (99, 7)), ((99,), (7,))):
        place = reader(16, extras=extras, last_extras=last_extras)
        sent = decide(place, steps, at(20))
        assert isinstance(sent, Send)
        then = after(place, sent, steps, date(2026, 3, 20))
        assert (then.extras, then.last_extras) == ((), ())
        assert isinstance(decide(then, steps, at(21)), Finish)


def test_a_course_may_pass_over_what_is_stale() -> None:
    # On the 13th day 5 (the 6th) and day 9 (the 10th) are more than 48 hours late; the closing is to come.
    passed_over = decide(reader(2), STEPS, at(13), Ways(policy=Policy.SKIP_STALE))
    assert isinstance(passed_over, Skip)
    assert [step.key for step in passed_over.steps] == ["why", "week-2"]
