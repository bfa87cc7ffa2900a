"""How mails look in a real browser: on a phone, in dark mode, without pictures, from right to left."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, ViewportSize

from mailer.content.compile import CompiledMessage
from mailer.content.system_mails import SYSTEM_MAILS, compile_system_mail
from mailer.content.variables import author_environment, sample_context
from mailer.i18n import languages
from mailer.launch.check import check_course
from tests.support.browser import chromium, needs_browser
from tests.support.mails import TINY_COURSE

SAMPLE_COURSE = Path(__file__).parents[2] / "templates" / "courses" / "neck-and-shoulder"

NARROW_PHONE, PHONE, DESK = 320, 375, 1280
ACCENT, NIGHT_ACCENT = "rgb(47, 107, 94)", "rgb(143, 199, 181)"  # #2f6b5e and #8fc7b5
PAPER, NIGHT_PAPER = "rgb(250, 247, 242)", "rgb(19, 26, 25)"  # #faf7f2 and #131a19

pytestmark = needs_browser

WEAKEST_CONTRAST = """() => {
  const channels = (color) => color.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((c) => c / 255)
    .map((c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (element) => {
    for (let e = element; e; e = e.parentElement) {
      const color = channels(getComputedStyle(e).backgroundColor);
      if (color.length === 3 || color[3] > 0) return color;
    }
    return [255, 255, 255];
  };
  let weakest = { ratio: 21, text: '' };
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const element = texts.currentNode.parentElement;
    if (!texts.currentNode.textContent.trim() || !element.offsetParent) continue;
    const [a, b] = [light(channels(getComputedStyle(element).color)), light(behind(element))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < weakest.ratio) weakest = { ratio, text: texts.currentNode.textContent.trim() };
  }
  return weakest;
}"""
"""The lowest contrast of any visible text with what is behind it, by WCAG 2.2's formula."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@dataclass(frozen=True)
class Letters:
    """Mails as files for a browser: their names without .html."""

    folder: Path
    names: tuple[str, ...]


def write_letters(source: Path, folder: Path) -> Letters:
    """The mails of a course folder and the system mails, each rendered for a sample reader."""
    course, problems = check_course(source)
    assert course is not None, problems
    (folder / "media").mkdir(parents=True)
    for file in course.media:
        (folder / "media" / file.name).write_bytes(file.content)
    mails: dict[str, CompiledMessage] = {step.key: message for step, message in course.steps}
    for name in SYSTEM_MAILS:
        mails |= {f"{name}-{language}": compile_system_mail(name, language) for language in languages()}
    values = sample_context() | {"base_url": folder.as_uri()}
    for name, message in mails.items():
        html = author_environment(autoescape=True).from_string(message.html).render(values)
        (folder / f"{name}.html").write_text(html, encoding="utf-8")
    return Letters(folder, tuple(mails))


@pytest.fixture(scope="module")
def letters(tmp_path_factory: pytest.TempPathFactory) -> Letters:
    return write_letters(TINY_COURSE, tmp_path_factory.mktemp("letters") / "tiny")


def opened(
    browser: Browser, letters: Letters, width: int, *, dark: bool = False
) -> Iterator[tuple[str, Page]]:
    """Each letter in turn, opened at this width: (name, page)."""
    size = ViewportSize(width=width, height=900)
    context = browser.new_context(viewport=size, color_scheme="dark" if dark else "light")
    page = context.new_page()
    for name in letters.names:
        page.goto((letters.folder / f"{name}.html").as_uri())
        yield name, page
    context.close()


def style(page: Page, selector: str, name: str) -> str:
    return str(page.eval_on_selector(selector, f"element => getComputedStyle(element)[{name!r}]"))


@pytest.mark.parametrize("width", [NARROW_PHONE, PHONE, DESK])
def test_nobody_has_to_scroll_sideways(browser: Browser, letters: Letters, width: int) -> None:
    for name, page in opened(browser, letters, width):
        assert page.evaluate("document.documentElement.scrollWidth") <= width, name


def test_without_pictures_nothing_is_lost(browser: Browser, letters: Letters, tmp_path: Path) -> None:
    folder = tmp_path / "blocked"
    shutil.copytree(letters.folder, folder, ignore=shutil.ignore_patterns("*.png"))
    for html in folder.glob("*.html"):
        text = html.read_text(encoding="utf-8").replace(letters.folder.as_uri(), folder.as_uri())
        html.write_text(text, encoding="utf-8")
    for name, page in opened(browser, Letters(folder, letters.names), PHONE):
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE, name
        for picture in page.query_selector_all("img"):
            assert picture.get_attribute("alt")


def test_every_mail_has_one_title_and_its_language(browser: Browser, letters: Letters) -> None:
    for name, page in opened(browser, letters, PHONE):
        assert page.locator("h1:visible").count() == 1, name
        system, _, language = name.rpartition("-")
        assert page.get_attribute("html", "lang") == (language if system in SYSTEM_MAILS else "en")


@pytest.mark.parametrize("dark", [False, True], ids=["by day", "by night"])
def test_all_text_has_contrast_enough(browser: Browser, letters: Letters, dark: bool) -> None:
    for name, page in opened(browser, letters, PHONE, dark=dark):
        weakest = page.evaluate(WEAKEST_CONTRAST)
        assert weakest["ratio"] >= 4.5, (name, weakest)


def test_dark_mode_changes_paper_ink_and_accent(browser: Browser, letters: Letters) -> None:
    colours = {}
    for dark in (False, True):
        for name, page in opened(browser, letters, PHONE, dark=dark):
            if name == "first-steps":
                colours[dark] = [
                    style(page, ".paper", "backgroundColor"),
                    style(page, ".button table td", "backgroundColor"),
                    style(page, ".action .label", "color"),
                ]
    assert colours[False] == [PAPER, ACCENT, ACCENT]
    assert colours[True] == [NIGHT_PAPER, NIGHT_ACCENT, NIGHT_ACCENT]


def test_text_is_large_enough_to_read_and_buttons_and_links_to_press(
    browser: Browser, letters: Letters
) -> None:
    for name, page in opened(browser, letters, PHONE):
        assert style(page, ".prose p", "fontSize") in {"17px", "16px"}, name
        for link in page.query_selector_all(".button a, .foot a, .ask a, .ask-foot a"):
            box = link.bounding_box()
            assert box is not None
            assert box["height"] >= 44, (name, link.inner_text())


def test_a_protocol_step_is_told_from_a_lesson_at_a_glance(browser: Browser, letters: Letters) -> None:
    for name, page in opened(browser, letters, PHONE):
        is_protocol = name == "week-1"
        assert page.locator(".checklist .box:visible").count() == (4 if is_protocol else 0)
        assert page.locator(".bar-on:visible").count() == (1 if is_protocol else 0)


def test_hebrew_begins_on_the_right(browser: Browser, tmp_path: Path) -> None:
    source = tmp_path / "course"
    shutil.copytree(TINY_COURSE, source)
    toml = (source / "course.toml").read_text(encoding="utf-8")
    (source / "course.toml").write_text(toml.replace('language = "en"', 'language = "he"'), encoding="utf-8")
    letters = write_letters(source, tmp_path / "letters")
    middle = PHONE / 2
    for name, page in opened(browser, Letters(letters.folder, ("week-1", "first-steps")), PHONE):
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE, name
        assert style(page, "h1", "direction") == "rtl"
        for box in page.query_selector_all(".box, .dot-on"):
            place = box.bounding_box()
            assert place is not None
            assert place["x"] > middle, name


def test_the_sample_courses_mails_are_small(tmp_path: Path) -> None:
    letters = write_letters(SAMPLE_COURSE, tmp_path / "letters")
    sizes = {name: (letters.folder / f"{name}.html").stat().st_size for name in letters.names}
    assert max(sizes.values()) < 35_000, sizes


def test_no_mail_asks_a_server_for_anything_but_its_pictures(letters: Letters) -> None:
    for name in letters.names:
        html = (letters.folder / f"{name}.html").read_text(encoding="utf-8")
        sources = re.findall(r'(?:src|background)="([^"]*)"|url\(([^)]*)\)|@import', html)
        assert all(source.startswith(letters.folder.as_uri()) for source, _ in sources), name
