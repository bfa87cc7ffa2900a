"""What stands on a page and is no part of the guide is left out, and named with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailer.content.guide import ImportReport, import_guide
from mailer.content.guide.furniture import why_furniture
from tests.support.guides.samples import body_of, sleep_guide, words, write


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("×", "a closing cross"),
        ("✕", "a closing cross"),
        ("Read More →", "a link to read more"),
        ("READ MORE »", "a link to read more"),
        ("Continue reading…", "a link to read more"),
        ("Weiterlesen", "a link to read more"),
        ("Lire la suite", "a link to read more"),
        ("Leer más >", "a link to read more"),
        ("続きを読む", "a link to read more"),
        ("Share on Facebook", "share buttons"),
        ("Facebook | Twitter | LinkedIn", "share buttons"),
        ("Share this article", "share buttons"),
        ("Subscribe to our newsletter", "a newsletter sign-up"),
        ("Sign up for our weekly newsletter", "a newsletter sign-up"),
        ("Enter your email address", "a newsletter sign-up"),
        ("We use cookies to improve your experience.", "a cookie notice"),
        ("This website uses cookies", "a cookie notice"),
        ("Accept all cookies", "a cookie notice"),
        ("Alle akzeptieren", "a cookie notice"),
        ("Photo by Ada Lindqvist on Unsplash", "an image's credit"),
        ("Image credit: Shutterstock", "an image's credit"),
        ("Home > Health > Sleep", "a menu"),
        ("Home | About us | Contact", "a menu"),
        ("Skip to content", "a menu"),
        ("Advertisement", "an advertisement"),
        ("5 min read", "page furniture"),
        ("Last updated: 3 March 2026", "page furniture"),
        ("© 2026 The Night Desk. All rights reserved.", "page furniture"),
        ("Leave a comment", "page furniture"),
    ],
)
def test_furniture_is_known_by_its_words(line: str, why: str) -> None:
    assert why_furniture(line) == why


@pytest.mark.parametrize(
    "line",
    [
        "Bake the cookies until they are brown.",
        "Read more books before bed.",
        "Share your rota with your family.",
        "Close the curtains.",
        "We use candles in the evening.",
        "Home is where your bed is.",
        "Home-made bread",
        "Subscribe to the idea that sleep matters.",
        "Print the plan and hang it up.",
        "Photograph your bedroom.",
        "Next, dim the lights.",
        "Menus for a week",
    ],
)
def test_sentences_that_only_begin_alike_stay(line: str) -> None:
    assert why_furniture(line) is None


def left_out(report: ImportReport) -> list[tuple[int, str, str]]:
    return [(note.line, note.text, note.why) for note in report.left_out]


def course(tmp_path: Path, middle: str, name: str = "guide.txt") -> ImportReport:
    return import_guide(write(tmp_path, middle, name), tmp_path / "course")


def test_teasers_are_left_out_and_the_disclaimer_behind_them_is_not(tmp_path: Path) -> None:
    report = course(
        tmp_path,
        "Sleep\n\nWhy\n\nBecause you must.\n\nHow\n\nLie down and wait.\n\n"
        "You may also like\n\nA Better Bed\n\nRead more\n\nDisclaimer: Not medical advice.\n",
    )
    assert left_out(report) == [
        (11, "You may also like", "the heading of teasers"),
        (13, "A Better Bed", "a teaser after “You may also like”"),
        (15, "Read more", "a teaser after “You may also like”"),
    ]
    assert "Disclaimer: Not medical advice." in (report.folder / "course.toml").read_text(encoding="utf-8")


def test_the_guide_goes_on_behind_teasers_in_its_middle(tmp_path: Path) -> None:
    section = "Lie down, and wait until sleep comes by itself, as it does for most people on most nights, "
    section += "when the room is dark and the day was long."
    report = course(
        tmp_path,
        "# Sleep\n\n## Why\n\nBecause.\n\n## Related posts\n\nA Better Bed\n\nRead more\n\n"
        f"## How\n\n{section}\n",
        "guide.md",
    )
    assert [step.key for step in report.steps] == ["why", "how"]
    assert [line for line, _, _ in left_out(report)] == [7, 9, 11]


def test_more_on_something_with_a_text_below_is_a_section(tmp_path: Path) -> None:
    text = "There is much more to say about naps, and this section says it in a good many words, all of "
    text += "which belong to the guide and to nothing else at all."
    report = course(tmp_path, f"# Sleep\n\n## Why\n\nBecause.\n\n## More on Naps\n\n{text}\n", "guide.md")
    assert text in body_of(report, "more-on-naps")


def test_a_table_of_contents_that_repeats_the_headings_is_left_out(tmp_path: Path) -> None:
    report = course(
        tmp_path,
        "# Sleep\n\n## Contents\n\n- Why\n- How\n\n## Why\n\nBecause.\n\n## How\n\nSlowly.\n",
        "guide.md",
    )
    assert [step.key for step in report.steps] == ["why", "how"]
    assert {why for _, _, why in left_out(report)} == {"a table of contents"}


def test_furniture_inside_a_paragraph_of_markdown_and_in_a_list(tmp_path: Path) -> None:
    report = course(
        tmp_path,
        "# Sleep\n\n## Why\n\nBecause you must.\nRead More →\n\n- one\n- Share on Facebook\n\n"
        "## How\n\nSlowly.\n",
        "guide.md",
    )
    assert [(line, text) for line, text, _ in left_out(report)] == [
        (6, "Read More →"),
        (9, "Share on Facebook"),
    ]
    assert body_of(report, "why") == "# Why\n\nBecause you must.\n\n- one\n"


def test_a_page_gives_up_its_menus_banners_forms_and_footers(tmp_path: Path) -> None:
    report = import_guide(sleep_guide("html", tmp_path), tmp_path / "course")
    reasons = {text: why for _, text, why in left_out(report)}
    assert reasons["We use cookies to remember your rota."] == "a cookie notice"
    assert reasons["Home"] == "a menu"
    assert reasons["×"] == "a closing cross"
    assert reasons["Seven Ways to Read a Rota"] == "a sidebar"
    assert reasons["Read More →"] == "a link to read more"
    assert reasons["Related Articles"] == "a teaser"
    assert reasons["© The Night Desk. All rights reserved."] == "page furniture"
    assert "tracker" not in "".join(reasons)


def test_a_page_whose_title_stands_in_its_header_keeps_it(tmp_path: Path) -> None:
    page = (
        "<body><header><h1>Sleep</h1><nav><a href='/'>Home</a></nav></header><main><h2>Why</h2><p>Because you"
        " must.</p><aside>A remark inside.</aside><h2>How</h2><p>Lie down and wait a while.</p></main>"
        "<footer><p>Disclaimer: Not medical advice.</p><p>Imprint</p></footer></body>"
    )
    report = course(tmp_path, page, "guide.html")
    assert report.title == "Sleep"
    assert [step.key for step in report.steps] == ["why", "how"]
    assert "A remark inside." in body_of(report, "why")
    assert "Not medical advice." in (report.folder / "course.toml").read_text(encoding="utf-8")
    assert [text for _, text, _ in left_out(report)] == ["Home", "Imprint"]


def test_images_are_named_because_they_do_not_come_along(tmp_path: Path) -> None:
    report = import_guide(sleep_guide("md", tmp_path), tmp_path / "course")
    image = next(note for note in report.left_out if "bedroom" in note.text)
    assert (image.line, image.text) == (12, "A dark bedroom images/bedroom.jpg")
    assert "media folder" in image.why


def test_links_that_lead_nowhere_from_a_mail_keep_their_words(tmp_path: Path) -> None:
    report = import_guide(sleep_guide("md", tmp_path), tmp_path / "course")
    assert "(More on rooms)" in body_of(report, "a-bedroom-for-daytime")
    assert "[sleep pages](https://sleep.example.org/naps)" in body_of(report, "naps-that-help")
    assert [(note.line, note.text) for note in report.doubtful] == [(50, "More on rooms")]
    assert words("rooms.html") in words(report.doubtful[0].why)
