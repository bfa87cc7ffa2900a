"""A real browser for tests: Debian's chromium, what axe-core finds on a page, and pictures to look at."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from mailer.web.pages import BUILT

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
AXE = BUILT / "axe.js"
SCREENSHOTS = Path(__file__).resolve().parents[2] / "screenshots"
WIDE = (1280, 800)
NARROW = (320, 700)
Theme = Literal["light", "dark"]
OF_LOOKS = ("color-contrast", "link-in-text-block", "target-size", "scrollable-region-focusable")
"""The rules of axe-core that another theme or width can break; all others are of the document."""

needs_browser = pytest.mark.skipif(not CHROMIUM.exists(), reason="there is no /usr/bin/chromium here")


@contextmanager
def chromium() -> Iterator[Browser]:
    """Chromium without a window."""
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        try:
            yield running
        finally:
            running.close()


def serious_findings(page: Page, *rules: str) -> list[str]:
    """What axe-core calls serious or critical on this page by these rules (none named: by all), a line each.

    It is evaluated, not added as a script: the page's own policy stays as it is.
    """
    if page.evaluate("typeof axe") == "undefined":
        page.evaluate(AXE.read_text(encoding="utf-8"))
    options: dict[str, Any] = {"resultTypes": ["violations"]}
    if rules:
        options["runOnly"] = {"type": "rule", "values": list(rules)}
    found: dict[str, Any] = page.evaluate("options => axe.run(document, options)", options)
    return [
        f"{one['id']}: {one['help']} ({', '.join(str(node['target']) for node in one['nodes'][:3])})"
        for one in found["violations"]
        if one["impact"] in {"serious", "critical"}
    ]


def overflows(page: Page) -> bool:
    """Whether somebody would have to scroll sideways."""
    return bool(page.evaluate("document.documentElement.scrollWidth > innerWidth"))


def picture(page: Page, name: str) -> None:
    """Keep a picture of the whole page for people to look at, in `screenshots/`, which is not committed."""
    SCREENSHOTS.mkdir(exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=True)


def is_well_made(page: Page, name: str) -> None:
    """A page as all of them have to be, with pictures of it; see `faults`."""
    found = list(faults(page, name))
    assert found == [], f"{name}: {found}"


def faults(page: Page, name: str) -> Iterator[str]:
    """What is wrong with a page: light and wide, at a zoom of 200 % (half as many px), dark and at 320 px.

    Colours go by the theme and places by the width, so that not each of them has to be seen with each other.
    """
    page.wait_for_load_state()  # between two documents there is none to measure
    expect(page.locator(".htmx-request")).to_have_count(0)  # a part that is being renewed is dimmed
    wide, height = WIDE
    looks: tuple[tuple[Theme, int, tuple[str, ...]], ...] = (
        ("light", wide, ()),
        ("dark", NARROW[0], OF_LOOKS),
    )
    for theme, width, rules in looks:
        page.emulate_media(color_scheme=theme)
        page.set_viewport_size({"width": width, "height": height})
        if overflows(page):
            yield f"wider than {width} px"
        picture(page, f"{name}-{theme}-{width}")
        yield from (f"{theme}, {width} px: {one}" for one in serious_findings(page, *rules))
    page.emulate_media(color_scheme="light")
    page.set_viewport_size({"width": wide // 2, "height": height})
    if overflows(page):
        yield "wider than a window at a zoom of 200 %"
    page.set_viewport_size({"width": wide, "height": height})


def opens(page: Page, words: str) -> None:
    """Go to a page by the menu, whose groups are folded but for the one of the page that is open."""
    menu = page.locator(".desk-wide")
    line = menu.get_by_role("link", name=words, exact=True)
    if not line.is_visible():
        menu.locator("details", has=page.get_by_text(words, exact=True)).locator("summary").click()
    line.click()
