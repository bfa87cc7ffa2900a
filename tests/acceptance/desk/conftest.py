"""The desk in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from mailer.db import Sessions
from mailer.embedded.redis import EmbeddedRedis
from mailer.settings import Settings
from tests.support.browser import WIDE, chromium
from tests.support.reader_pages import running_app
from tests.support.staff import desk_settings, hire


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One for each file of tests: while it is open its event loop runs, and no test may start another."""
    with chromium() as running:
        yield running


@pytest.fixture
def settings(database_url: str, redis: EmbeddedRedis, tmp_path: Path) -> Settings:
    return desk_settings(database_url, redis, tmp_path)


@pytest.fixture
def desk(settings: Settings, sessions: Sessions) -> Iterator[str]:
    hire(sessions)
    with running_app(settings) as address:
        yield address


@pytest.fixture
def page(browser: Browser, desk: str) -> Iterator[Page]:
    """A browser of somebody new, at the desk's address; scripts that fail or are refused fail the test."""
    context = browser.new_context(base_url=desk, viewport={"width": WIDE[0], "height": WIDE[1]})
    page = context.new_page()
    said: list[str] = []
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("console", lambda line: said.append(line.text) if line.type == "error" else None)
    yield page
    context.close()
    assert [line for line in said if "status of 4" not in line] == []
