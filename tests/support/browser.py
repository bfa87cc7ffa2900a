"""A real browser for tests: Debian's chromium, what axe-core finds on a page, and pictures to look at."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

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


def serious_findings(page: Page) -> list[str]:
    """What axe-core calls serious or critical on this page, a line each.

    It is evaluated, not added as a script: the page's own policy stays as it is.
    """
    if page.evaluate("typeof axe") == "undefined":
        page.evaluate(AXE.read_text(encoding="utf-8"))
    found: dict[str, Any] = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
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
    """A page as all of them have to be: wide, at 320 px, light and dark; with a picture of each."""
    page.wait_for_load_state()  # between two documents there is none to measure
    for theme in ("light", "dark"):
        page.emulate_media(color_scheme=theme)
        for width, height in (WIDE, NARROW):
            page.set_viewport_size({"width": width, "height": height})
            assert not overflows(page), f"{name} is wider than {width} px"
            picture(page, f"{name}-{theme}-{width}")
            found = serious_findings(page)
            assert found == [], f"{name}, {theme}, {width} px: {found}"
    page.emulate_media(color_scheme="light")
    page.set_viewport_size({"width": WIDE[0], "height": WIDE[1]})


def opens(page: Page, words: str) -> None:
    """Go to a page by the menu, whose groups are folded but for the one of the page that is open."""
    menu = page.locator(".desk-wide")
    line = menu.get_by_role("link", name=words, exact=True)
    if not line.is_visible():
        menu.locator("details", has=page.get_by_text(words, exact=True)).locator("summary").click()
    line.click()
