"""A changed guide beside its draft: what it means for each section, and taking only some of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailer.content.guide import Fate, import_guide
from mailer.content.guide.again import Again, NotAnswered, look_again
from mailer.errors import Refused
from tests.support.guides.again import Desk, fates

REWORDED = ("dark, cool and dull", "dark, cool and quiet")
NEW = ("Naps That Help", "Water by the Bed\n\nA glass is enough.\n\nNaps That Help")
BOTH = ("Caffeine stays longer", "Coffee stays for hours")


def look(desk: Desk) -> Again:
    return look_again(desk.guide, desk.course, {})


def take(desk: Desk, *chosen: str) -> None:
    again = look(desk)
    files = again.files(desk.course, {one.name for one in again.sections if _key(one.name) in chosen})
    for path in desk.course.iterdir():
        path.unlink()
    for name, content in files.items():
        (desk.course / name).write_bytes(content if isinstance(content, bytes) else content.encode())


def _key(name: str) -> str:
    return name.removesuffix(".md").partition("-")[2]


def found(desk: Desk) -> dict[str, tuple[Fate, bool]]:
    return {_key(one.name): (one.fate, one.is_own) for one in look(desk).sections}


def test_each_section_is_taken_alone_and_the_others_are_told_of_again(desk: Desk) -> None:
    desk.edit("food-and-caffeine", "Caffeine stays longer", "Espresso stays longer")
    desk.rewrite_guide(REWORDED, NEW, BOTH)
    before = desk.files()
    assert found(desk) == {
        "a-bedroom-for-daytime": (Fate.UPDATED, False),
        "water-by-the-bed": (Fate.NEW, False),
        "food-and-caffeine": (Fate.CONFLICT, True),
    }
    assert desk.files() == before
    take(desk, "water-by-the-bed")
    assert "A glass is enough." in desk.file("water-by-the-bed").read_text(encoding="utf-8")
    assert "cool and dull" in desk.file("a-bedroom-for-daytime").read_text(encoding="utf-8")
    assert found(desk) == {
        "a-bedroom-for-daytime": (Fate.UPDATED, False),
        "food-and-caffeine": (Fate.CONFLICT, True),
    }
    # Only who asks for it gets the guide's words in place of the author's.
    take(desk, "a-bedroom-for-daytime", "food-and-caffeine")
    assert "Coffee stays for hours" in desk.file("food-and-caffeine").read_text(encoding="utf-8")
    assert found(desk) == {}
    # And the command line finds it settled as well; the line beside the subject stays the author's.
    assert fates(desk.again()) == {"food-and-caffeine": Fate.KEPT}
    assert 'preheader: "Espresso stays' in desk.file("food-and-caffeine").read_text(encoding="utf-8")


def test_a_section_that_is_gone_goes_when_it_is_chosen(desk: Desk) -> None:
    desk.edit("food-and-caffeine", "Caffeine stays longer", "Espresso stays longer")
    text = desk.guide.read_text(encoding="utf-8")
    start, middle, end = (text.index(one) for one in ("Food and Caffeine", "Naps That Help", "Signs That"))
    desk.guide.write_text(text[:start] + text[end:], encoding="utf-8")
    assert start < middle < end
    gone = {"food-and-caffeine": (Fate.GONE, True), "naps-that-help": (Fate.GONE, False)}
    assert found(desk) == gone
    take(desk, "nothing of it")
    assert found(desk)["naps-that-help"] == (Fate.GONE, False)
    take(desk, "naps-that-help")
    assert not [name for name in desk.files() if "naps" in name]
    assert "Espresso" in desk.file("food-and-caffeine").read_text(encoding="utf-8")


def test_a_section_that_may_continue_several_steps_is_asked_about(tmp_path: Path) -> None:
    guide, course = tmp_path / "guide.md", tmp_path / "course"
    guide.write_text("# Tea\n\n## Green\n\nPour it.\n\n## Black\n\nPour it.\n\n## End\n\nSip.\n")
    import_guide(guide, course, days=9)
    guide.write_text("# Tea\n\n## White\n\nPour it.\n\n## End\n\nSip.\n")
    with pytest.raises(NotAnswered) as asked:
        look_again(guide, course, {})
    assert [option.key for option in asked.value.tie.options] == ["green", "black"]
    again = look_again(guide, course, {"White": "black"})
    assert {_key(one.name): one.fate for one in again.sections} == {
        "green": Fate.GONE,
        "black": Fate.UPDATED,
    }


def test_a_course_of_no_guide_is_refused_plainly(desk: Desk) -> None:
    (desk.course / ".import.json").unlink()
    with pytest.raises(Refused, match="was not made of a guide"):
        look(desk)
