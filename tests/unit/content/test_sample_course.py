"""The sample course and its follow-up say what their guide says, in their own words and in good order."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

from mailer.content.course_folder import CourseSource, OptIn, StepKind, StepSource, read_course

ROOT = Path(__file__).parents[3]
COURSES = ROOT / "templates" / "courses"
FOLDER, FOLLOW_UP = COURSES / "neck-and-shoulder", COURSES / "keeping-it-up"
GUIDE = ROOT.parent / "shared" / "guide" / "neck-and-shoulder-pain.txt"

SHARED_PHRASE = 8
"""From this many words in a row on, a phrase that the guide also has counts as taken from it."""

# What each section of the guide says, as words that its lesson cannot do without; in the guide's order.
SECTION_FACTS: dict[str, tuple[str, ...]] = {
    "introduction": (
        "every age",
        "trapezius",
        "stiff to turn",
        "burning",
        "tension headache",
        "posture",
        "screen",
        "strain",
        "better desk",
        "physiotherapist",
        "massages",
        "painkillers",
        "overlooked",
        "minerals",
        "relax",
        "nerves",
        "mend",
    ),
    "why-so-common": ("carries your head", "posture", "feelings", "nerves", "short of minerals"),
    "beyond-posture-and-stress": (
        "myth",
        "begins",
        "stays",
        "let go",
        "fire",
        "small injuries",
        "slow to heal",
    ),
    "why-minerals-matter": (
        "electrical and chemical",
        "tighten",
        "relax",
        "impulses",
        "blood flow",
        "inflammation",
        "system",
    ),
    "tension-and-balance": (
        "calcium",
        "contracts",
        "magnesium",
        "relaxes",
        "drawn in",
        "gathers",
        "lasting",
        "stretch",
    ),
    "magnesium": (
        "relaxing",
        "stay tight",
        "trigger points",
        "tension headaches",
        "massage",
        "normal",
        "cells",
    ),
    "calcium": ("contraction", "little magnesium", "vitamin d", "bones", "blood", "spasm", "stiff"),
    "potassium": ("electrical activity", "nerves", "tired", "upright", "shoulders ache", "hardly"),
    "sodium": (
        "impulses",
        "cut back",
        "sweat",
        "over-sensitive",
        "burns or tingles",
        "stiff neck",
        "headache",
    ),
    "zinc": ("healing of tissue", "in check", "long time to recover", "soreness", "more inflammation"),
    "vitamin-b12": ("hand in hand", "get worse", "repaired", "more sensitive", "radiates", "shoulder", "arm"),
    "stress-and-cortisol": ("cortisol", "magnesium and potassium may be lost", "tense", "relaxing fully"),
    "medicines": ("diuretics", "acid in the stomach", "diabetes", "painkillers", "long time"),
    "age": ("take up less", "kidneys", "eat less", "later life"),
    "signs": (
        "although you stretch",
        "at night",
        "early in the morning",
        "twitch or cramp",
        "tired",
        "headaches",
        "painkillers",
    ),
    "assessment": ("diet", "medicines", "pattern of your symptoms", "blood tests", "if any"),
    "questions": (
        "muscles relax",
        "nerves signal",
        "massage does not correct",
        "two to four weeks",
        "not always",
        "food does not bring enough",
    ),
    "closing": ("mechanical", "tension", "irritable nerves", "healing", "posture", "movement", "last"),
}

DAILY_FOCUS = ("meal", "neck|head turns|turn your head", "posture", "slept|sleep|bedtime")
FIRST_HALF = ("water|drink", "caffeine", "magnesium", "potassium")
SECOND_HALF = ("vitamin d", "b12", "calcium", "quiet minutes|a few minutes")
WEEK_FACTS = {1: FIRST_HALF, 2: FIRST_HALF, 3: SECOND_HALF, 4: SECOND_HALF}

NOT_IN_A_HEALTH_MAIL = re.compile(
    r"\bcur(?:e|es|ed|ing)\b|\bheals? you\b|guarantee|miracle|proven|detox|\bsecret|\balways works\b"
    r"|\b\d+(?:[.,]\d+)?\s*(?:mg|mcg|µg|g|iu|milligrams?|micrograms?|grams?)\b"
    r"|\bstop (?:taking )?your (?:medicines?|medication|tablets|pills)\b|\byou (?:must|should take)\b",
    re.IGNORECASE,
)


every_step = pytest.mark.parametrize(
    "path", sorted(COURSES.glob("*/*.md")), ids=lambda path: f"{path.parent.name}/{path.stem}"
)


@cache
def course(folder: Path = FOLDER) -> CourseSource:
    source, problems = read_course(folder)
    assert source is not None
    assert [str(problem) for problem in problems] == []
    return source


def in_turn() -> list[StepSource]:
    """The steps that come to everybody: no variants and gentler versions."""
    return [step for step in course().steps if not (step.instead_of or step.easier_than)]


def lessons() -> list[StepSource]:
    return [step for step in in_turn() if step.kind is StepKind.LESSON]


def weeks() -> list[StepSource]:
    return [step for step in in_turn() if step.kind is StepKind.PROTOCOL]


def block(step: StepSource, name: str) -> str:
    """The inside of the step's one `::: name` block; fails when there is none or there are two."""
    found = re.findall(rf"^::: {name}\b[^\n]*\n(.*?)^:::$", step.body, re.DOTALL | re.MULTILINE)
    assert len(found) == 1, f"{step.key} has {len(found)} blocks `{name}`"
    return str(found[0]).strip()


def words(text: str) -> list[str]:
    """The text's words in small letters, without fences, variables and apostrophes."""
    plain = re.sub(r"^:::[ \t]*[a-z]*|\{\{.*?\}\}", " ", text, flags=re.MULTILINE)
    return re.findall(r"[^\W_]+", re.sub(r"['’]", "", plain.lower()))


def step_of(path: Path) -> StepSource:
    return next(step for step in course(path.parent).steps if step.path.name == path.name)


def test_the_course_folder_reads_without_a_single_problem() -> None:
    assert course().slug == FOLDER.name


def test_it_is_eighteen_lessons_and_four_weekly_checklists() -> None:
    assert len(in_turn()) == 22
    assert [step.key for step in lessons()] == list(SECTION_FACTS)
    assert [step.week for step in weeks()] == [1, 2, 3, 4]
    assert all(step.week is None for step in lessons())


def test_each_checklist_comes_on_the_second_day_of_its_week() -> None:
    assert [step.day for step in weeks()] == [2, 9, 16, 23]


def test_the_lessons_are_spread_evenly_from_day_1_to_day_30() -> None:
    # 26 of the 30 days have no checklist; lesson i of 0..17 takes free day round(i * 25 / 17).
    free = [day for day in range(1, 31) if day not in (2, 9, 16, 23)]
    assert [step.day for step in lessons()] == [free[round(i * 25 / 17)] for i in range(18)]
    # Worked out by hand:
    assert [step.day for step in lessons()] == [
        1,
        3,
        5,
        6,
        8,
        10,
        12,
        13,
        15,
        17,
        19,
        20,
        22,
        24,
        26,
        27,
        29,
        30,
    ]


def test_the_files_are_numbered_in_the_order_in_which_they_arrive() -> None:
    assert [step.path.name for step in in_turn()] == [
        f"{number:02}-{step.key}.md" for number, step in enumerate(in_turn(), start=1)
    ]


def test_the_first_week_has_a_gentler_version_and_the_end_a_variant() -> None:
    others = [step for step in course().steps if step not in in_turn()]
    assert {(step.easier_than, step.instead_of) for step in others} == {("week-1", ""), ("", "closing")}


def test_signing_up_says_what_comes_how_often_and_that_it_is_about_health() -> None:
    assert course().opt_in is OptIn.DOUBLE
    for part in ("22 mails", "30 days", "one a day", "my health", "agree explicitly", "stop at any time"):
        assert part in course().consent


def test_signing_up_says_that_a_follow_up_follows_for_the_same_list() -> None:
    follow_up = course(FOLLOW_UP)
    assert course().flow.then == ((follow_up.slug, ""),)
    assert follow_up.title in course().consent
    assert (follow_up.list_slug, follow_up.list_title, follow_up.opt_in) == (
        *(course().list_slug, course().list_title, course().opt_in),
    )


def test_the_follow_up_is_one_letter_a_week_for_three_weeks() -> None:
    assert [(step.day, step.kind) for step in course(FOLLOW_UP).steps] == [
        *((7, StepKind.LESSON), (14, StepKind.LESSON), (21, StepKind.LESSON)),
    ]


def test_the_disclaimer_sends_people_to_a_professional_and_stands_in_no_body() -> None:
    disclaimer = course().disclaimer
    assert "healthcare provider" in disclaimer
    assert "supplement" in disclaimer
    assert all(disclaimer not in step.body for step in course().steps)


@every_step
def test_every_mail_has_one_title_and_greets_first(path: Path) -> None:
    lines = [line for line in step_of(path).body.splitlines() if line]
    assert lines[0].startswith("# ")
    assert lines[1] == "{{ greeting }}"
    assert [line for line in lines if re.match(r"#+ ", line)] == [lines[0]]


@every_step
def test_every_mail_can_be_read_in_two_minutes(path: Path) -> None:
    assert 150 <= len(words(step_of(path).body)) <= 300


@every_step
def test_every_subject_fits_a_phone_and_its_preheader_adds_to_it(path: Path) -> None:
    step = step_of(path)
    assert 10 <= len(step.subject) < 60
    assert 40 <= len(step.preheader) <= 100
    assert not set(words(step.subject)) >= set(words(step.preheader))
    assert not re.search(r"[!]|\b[A-Z]{4,}\b", step.subject + step.preheader)


@every_step
def test_no_mail_promises_doses_or_shouts(path: Path) -> None:
    step = step_of(path)
    text = f"{step.subject}\n{step.preheader}\n{step.body}"
    assert NOT_IN_A_HEALTH_MAIL.findall(text) == []
    assert "!" not in step.body
    assert text.count("—") <= 1


def test_every_lesson_ends_with_something_to_do_and_what_comes_next_time() -> None:
    for step in (*lessons(), *course(FOLLOW_UP).steps):
        assert 10 <= len(words(block(step, "action"))) <= 60, step.key
        if step.key != "passing-it-on":
            assert 3 <= len(words(block(step, "next"))) <= 25, step.key


def test_every_week_has_a_checklist_of_four_to_six_points() -> None:
    for step in weeks():
        points = block(step, "checklist").splitlines()
        assert all(point.startswith("- ") for point in points), step.key
        assert 4 <= len(points) <= 6, step.key


@pytest.mark.parametrize("key", SECTION_FACTS)
def test_every_section_of_the_guide_keeps_its_facts(key: str) -> None:
    body = next(step for step in lessons() if step.key == key).body.lower()
    assert [fact for fact in SECTION_FACTS[key] if not re.search(fact, body)] == []


@pytest.mark.parametrize("week", WEEK_FACTS)
def test_every_checklist_has_its_weeks_aims_and_the_daily_focus(week: int) -> None:
    body = next(step for step in weeks() if step.week == week).body.lower()
    assert [fact for fact in WEEK_FACTS[week] + DAILY_FOCUS if not re.search(fact, body)] == []


def test_the_four_questions_are_asked_and_answered() -> None:
    asked = re.findall(
        r"^::: question (.+\?)$", next(s for s in lessons() if s.key == "questions").body, re.M
    )
    assert len(asked) == 4


def test_no_two_mails_share_a_subject_an_opening_an_action_or_a_checklist_point() -> None:
    steps = (*course().steps, *course(FOLLOW_UP).steps)
    openings = [" ".join(words(step.body.split("{{ greeting }}")[1])[:3]) for step in steps]
    points = [point for step in weeks() for point in block(step, "checklist").splitlines()]
    subjects = [step.subject for step in steps]
    actions = [block(step, "action") for step in (*lessons(), *course(FOLLOW_UP).steps)]
    for texts in (openings, points, subjects, actions):
        assert len(set(texts)) == len(texts)


def test_the_medicines_lesson_changes_nothing_without_a_doctor_or_pharmacist() -> None:
    callout = block(next(step for step in lessons() if step.key == "medicines"), "callout")
    assert callout.startswith("Do not stop")
    assert "doctor or pharmacist before you change anything" in callout


def test_no_phrase_of_the_guide_is_repeated_word_for_word() -> None:
    if not GUIDE.is_file():
        pytest.skip("the guide that the course was written from is not beside this checkout")
    ours = {path.name: f" {' '.join(words(path.read_text('utf-8')))} " for path in COURSES.glob("*/*.*")}
    taken = [
        (name, phrase)
        for line in GUIDE.read_text("utf-8").splitlines()
        for phrase in _phrases(words(line))
        for name, text in ours.items()
        if f" {phrase} " in text
    ]
    assert taken == []


def _phrases(line: list[str]) -> list[str]:
    """Every run of SHARED_PHRASE words; a shorter line of four words or more counts as a whole."""
    length = min(SHARED_PHRASE, len(line))
    if length < 4:
        return []
    return [" ".join(line[i : i + length]) for i in range(len(line) - length + 1)]
