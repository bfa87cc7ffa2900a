"""A/B tests as their file says them: what cannot be, and what changes an agreed campaign."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailer.db import session_scope
from mailer.errors import Refused
from mailer.launch.campaign import look_ahead
from tests.integration.campaigns.phased import TWO, by, count_clicks, redraft
from tests.integration.cli_delivery.conftest import Run
from tests.support.campaigns import SPRING, set_going, write_campaign
from tests.support.house import House


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        (TWO, "spring.md:7: error: Nothing says how the variants are tested. Write `test:` and below it"),
        (
            "test:\n  measure: ask\n",
            "spring.md:7: error: There is a test, and no variants. Write `variants:`",
        ),
        (
            by("likes"),
            "spring.md:11: error: `measure` is 'likes'. Write one of clicks, opens, unsubscribes, ask.",
        ),
        (
            by("opens"),
            "spring.md:11: error: Nobody counts the opens of calm, so that they cannot decide. `stea",
        ),
        (by("ask", "  at_least: many\n"), "spring.md:14: error: `at_least` is 'many'. Write how many people"),
        (
            by("ask").replace("50 %", "half"),
            "spring.md:12: error: `share` is 'half'. Write one such as 20 %.",
        ),
        (by("ask").replace("2 hours", "soon"), "spring.md:13: error: `wait` is 'soon'. Write 30 minutes"),
        (by("ask").replace("  b:", "  e:"), "spring.md:8: error: `e` is no variant's letter. Use b, c and d"),
        (
            by("ask").replace("subject", "colour"),
            "spring.md:9: error: `colour` is not a setting of a variant.",
        ),
        (
            by("ask").replace('subject: "Windows open"', "sender: nobody"),
            "spring.md:9: error: There is no sender",
        ),
        (
            by("ask").replace('subject: "Windows open"', "file: ../x.md"),
            "spring.md:9: error: `file` is '../x.md'.",
        ),
        (
            by("ask").replace('subject: "Windows open"', "file: x.md"),
            "x.md:1: error: The file cannot be read",
        ),
        ("variants:\n  b: Windows\ntest:\n  measure: ask\n", "spring.md:8: error: `b` has nothing below it."),
        (
            "variants: b\ntest:\n  measure: ask\n",
            "spring.md:7: error: `variants` names no variant. Write `b:`",
        ),
    ],
)
def test_bad_settings_are_told_with_line_and_fix(
    hundred: House, tmp_path: Path, steadypost: Run, settings: str, problem: str
) -> None:
    path = write_campaign(tmp_path)
    path.write_text(
        path.read_text(encoding="utf-8").replace("disclaimer", f"{settings}disclaimer"), encoding="utf-8"
    )
    told = steadypost("campaign", "check", path, ends=1).stdout
    assert problem in told.replace("\n", " ").replace("  ", " "), told


def test_clicks_that_are_counted_no_more_are_said_before_it_is_sent(hundred: House, tmp_path: Path) -> None:
    redraft(hundred, tmp_path, by("clicks"))
    count_clicks(hundred, clicks=False)
    with session_scope(hundred.sessions) as session, pytest.raises(Refused, match="--track-clicks"):
        look_ahead(session, SPRING, hundred.at)


def test_a_draft_that_says_the_same_is_the_same_and_another_test_is_a_change(
    hundred: House, tmp_path: Path, steadypost: Run
) -> None:
    path = redraft(hundred, tmp_path, by("clicks"))
    set_going(hundred)
    assert steadypost("campaign", "create", path).stdout.startswith("spring is scheduled.")
    path.write_text(path.read_text(encoding="utf-8").replace("2 hours", "3 hours"), encoding="utf-8")
    assert "It was scheduled, and is not any more" in steadypost("campaign", "create", path).stdout


def test_each_readers_own_hour_and_phases_do_not_go_together(
    hundred: House, tmp_path: Path, steadypost: Run
) -> None:
    redraft(hundred, tmp_path, by("clicks"))
    told = steadypost("campaign", "schedule", SPRING, "--local", "2027-03-01 09:00", "--yes", ends=1)
    assert told.stderr.startswith("spring has variants to test, and each reader's own hour comes only once")
