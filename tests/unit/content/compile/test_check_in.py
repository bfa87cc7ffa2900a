"""A week's mail asks how it went, and a course's last mail sums up what was said."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from mailer.content.variables import sample_context
from mailer.models import StepKind
from mailer.render.fast import build_fast, is_fast
from mailer.render.personalize import Templates
from tests.support.mails import POSITION, Write
from tests.unit.render.test_fast import ADA, HEADERS, outcome, plain_mail

CHECK_IN = "https://mail.example.org/m/sample/check-in"
CHECKLIST = "::: checklist\n- One\n:::\n\n::: next\nMore.\n:::"
AGAIN = "Here is this week once more: no hurry, and nothing to catch up on."
SUMMARY = "::: summary\n:::"


def test_a_week_asks_behind_its_checklist_how_it_went(write: Write) -> None:
    written = write(CHECKLIST, kind=StepKind.PROTOCOL)
    for part in (written.html(), written.text()):
        assert part.index("checklist") < part.index("How did it go?") < part.index("Next time")
        assert re.findall(rf"{CHECK_IN}\?answer=([a-z-]+)", part) == ["done", "not-yet", "too-hard"]
        assert "https://mail.example.org/m/sample/progress" in part
    assert f"How did it go?\n--------------\n\nDone: {CHECK_IN}?answer=done\n" in written.text()


def test_a_week_without_a_checklist_asks_at_its_end(write: Write) -> None:
    text = write("Rest.", kind=StepKind.PROTOCOL).text_body()
    assert text.startswith("Rest.\n\nHow did it go?")


@pytest.mark.parametrize(
    ("kind", "week"), [(StepKind.LESSON, 2), (StepKind.CHECK_IN, 2), (StepKind.PROTOCOL, None)]
)
def test_what_is_no_week_does_not_ask(write: Write, kind: StepKind, week: int | None) -> None:
    written = write(CHECKLIST, kind=kind, position=replace(POSITION, week=week))
    for part in (written.html(is_repeat=True), written.text(is_repeat=True)):
        assert "check-in" not in part
        assert AGAIN not in part


def test_a_repeated_week_begins_with_one_sentence_and_any_other_without(write: Write) -> None:
    written = write(CHECKLIST, kind=StepKind.PROTOCOL)
    assert AGAIN not in written.html() + written.text()
    assert AGAIN in written.html(is_repeat=True)
    assert f"day 9 of 30\n\n{AGAIN}\n\nA title\n" in written.text(is_repeat=True)
    assert written.text(is_repeat=True).replace(f"{AGAIN}\n\n", "") == written.text()
    mine = write("{% if is_repeat %}Once more!{% endif %}")
    assert "Once more!" in mine.text(is_repeat=True)
    assert "Once more!" not in mine.text()


def test_a_summary_is_a_small_table_of_weeks_and_answers(write: Write) -> None:
    written = write(SUMMARY)
    said = {"weeks_done": 1, "weeks": 4, "answers_line": "", "1": "Done", "2": "Too hard", "3": "–"}
    cells = re.findall(r"<td[^>]*>(Week \d)</td><td[^>]*>([^<]*)</td>", written.html(progress=said))
    # The fourth week is one that this mail was compiled with and the course has no more.
    assert cells == [("Week 1", "Done"), ("Week 2", "Too hard"), ("Week 3", "–"), ("Week 4", "–")]
    assert "Week 1: Done\nWeek 2: Too hard\nWeek 3: –\nWeek 4: –\n" in written.text(progress=said)


def test_the_words_are_those_of_the_courses_language(write: Write) -> None:
    written = write(CHECKLIST + "\n\n" + SUMMARY, kind=StepKind.PROTOCOL, language="de")
    for part in (written.html(), written.text()):
        for word in ("Wie ist es gegangen?", "Geschafft", "Noch nicht", "Zu schwer", "Woche 1"):
            assert word in part


def test_a_summary_needs_weeks_and_holds_no_text(write: Write) -> None:
    no_weeks = write(SUMMARY, position=replace(POSITION, week=None, weeks=0))
    assert [what for _, what in no_weeks.faults] == [
        "A summary tells of a course's weeks, and there are none here."
    ]
    assert [what for _, what in write("::: summary\nText\n:::").faults] == ["A summary has no text inside."]


def test_the_closings_variables_are_for_courses(write: Write) -> None:
    text = write("{{ progress.weeks_done }} of {{ progress.weeks }}: {{ progress.answers_line }}").text()
    assert "2 of 4: Week 1: Done · Week 2: Not yet" in text
    assert [what for _, what in write("{{ progress.nothing }}").faults] != []
    assert write("[Tell us]({{ links.check_in }}?answer=done)").problems == []


@pytest.mark.parametrize("is_repeat", [False, True])
@pytest.mark.parametrize("progress", [sample_context()["progress"], {"1": "Done", "2": "–"}])
def test_these_mails_are_built_fast_and_read_as_the_plain_ones(
    write: Write, is_repeat: bool, progress: object
) -> None:
    message = write(CHECKLIST + "\n\n" + SUMMARY, kind=StepKind.PROTOCOL).message
    assert message is not None
    templates = Templates(message.subject, message.html, message.text)
    context = ADA | {"is_repeat": is_repeat, "progress": progress}
    assert is_fast(templates)
    assert outcome(build_fast, templates, context, HEADERS) == outcome(
        plain_mail, templates, context, HEADERS
    )
