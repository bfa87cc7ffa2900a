"""The settings `variants`, `test` and `canary` of a campaign's front matter, read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePath

from mailer.content.amounts import read_share, read_wait
from mailer.content.canary import Canary, Sign, read_canary
from mailer.content.course_words import SLUG, is_one_line, known_or_near
from mailer.content.front_matter import Settings
from mailer.content.trial import (
    AT_LEAST,
    OTHERS,
    SHARE,
    WAIT,
    Measure,
    TestPlan,
    VariantSource,
)

NAMES = ("variants", "test", "canary")
OF_VARIANT = ("subject", "preheader", "sender", "file")
OF_TEST = ("measure", "share", "at_least", "wait")
OF_CANARY = ("size", "wait", *Sign)
MOST_AT_LEAST = 1_000_000


def read_variants(settings: Settings) -> tuple[VariantSource, ...]:
    """The variants beside A, which is the file itself, in the order of their letters."""
    groups = settings.groups.get("variants", {})
    if "variants" in settings.lines and not groups:
        fix = "Write `b:` below it, and below that what differs, such as `subject: …`."
        settings.problem("variants", "`variants` names no variant.", fix)
    found = []
    for name, written in groups.items():
        place = f"variants.{name}"
        if name not in OTHERS:
            what = f"`{name}` is no variant's letter."
            settings.problem(place, what, "Use b, c and d; A is the file as it is.")
            continue
        found.append(_variant(settings, name, place, written))
    return tuple(sorted(found, key=lambda one: one.name))


def _variant(settings: Settings, name: str, place: str, written: Mapping[str, str]) -> VariantSource:
    for setting, value in written.items():
        inner = f"{place}.{setting}"
        if setting not in OF_VARIANT:
            what = f"`{setting}` is not a setting of a variant."
            settings.problem(inner, what, known_or_near(setting, OF_VARIANT))
        elif not is_one_line(value) or not value:
            settings.problem(inner, f"`{setting}` is empty or has a line break.", "Write it on one line.")
        elif setting == "sender" and not SLUG.fullmatch(value):
            settings.problem(inner, f"`sender` is {value!r}.", "Write the slug of a sender that is known.")
        elif setting == "file" and (PurePath(value).name != value or value in (".", "..")):
            fix = "Write the name of a file that lies beside this one."
            settings.problem(inner, f"`file` is {value!r}.", fix)
    source = VariantSource(name, **{key: value for key, value in written.items() if key in OF_VARIANT})
    if not source.differs:
        settings.problem(
            place, f"Variant {name} is the same as A.", "Say what differs: subject, sender, file."
        )
    return source


def read_test(settings: Settings) -> TestPlan | None:
    """How the variants are tested; None when there are none, or something is wrong."""
    has_variants = "variants" in settings.lines
    if "test" not in settings.lines:
        if has_variants:
            fix = f"Write `test:` and below it `measure:`, one of {', '.join(Measure)}."
            settings.problem("variants", "Nothing says how the variants are tested.", fix)
        return None
    if not has_variants:
        fix = "Write `variants:` with what differs in `b:`."
        settings.problem("test", "There is a test, and no variants.", fix)
        return None
    before = len(settings.problems)
    written = settings.section.get("test", {})
    for name in written.keys() - set(OF_TEST):
        what = f"`{name}` is not a setting of a test."
        settings.problem(f"test.{name}", what, known_or_near(name, OF_TEST))
    measure = written.get("measure", "")
    if measure not in tuple(Measure):
        what = f"`measure` is {measure!r}." if measure else "Nothing says by what the test is decided."
        settings.problem("test.measure", what, f"Write one of {', '.join(Measure)}.")
    share = read_share(written["share"]) if "share" in written else SHARE
    if not share:
        settings.problem("test.share", f"`share` is {written.get('share')!r}.", "Write one such as 20 %.")
    wait = read_wait(written["wait"]) if "wait" in written else WAIT
    if wait is None:
        fix = "Write 30 minutes, 4 hours or 1 day, at most 14 days."
        settings.problem("test.wait", f"`wait` is {written['wait']!r}.", fix)
    at_least = written.get("at_least", str(AT_LEAST))
    if not (at_least.isascii() and at_least.isdigit() and 0 < int(at_least[:9]) <= MOST_AT_LEAST):
        fix = "Write how many people each variant goes to at least, such as 500."
        settings.problem("test.at_least", f"`at_least` is {at_least!r}.", fix)
    if len(settings.problems) > before or share is None or wait is None:
        return None
    return TestPlan(Measure(measure), share, int(at_least), wait)


def read_canary_setting(settings: Settings) -> Canary | None:
    """The canary, written as `canary: 500` or with settings of its own; None when there is none."""
    if "canary" not in settings.lines:
        return None
    written = settings.section.get("canary", {"size": settings.values.get("canary", "")})

    def tell(name: str, what: str, fix: str) -> None:
        settings.problem(f"canary.{name}", what, fix)

    return read_canary(written, tell)
