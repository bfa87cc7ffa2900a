"""Those who work here, the same in every test: Rea reads, Marc markets, Opal operates, Owen owns.

And a browser without a window for each: an HTTP client with their cookie, which fills in what forms repeat.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import httpx
from playwright.sync_api import Page

from mailer.accounts.operators import add_operator
from mailer.accounts.passwords import hash_password
from mailer.accounts.rights import at_the_machine
from mailer.accounts.sessions import session_now
from mailer.db import Sessions, session_scope
from mailer.embedded.redis import EmbeddedRedis
from mailer.models import Role
from mailer.queue import Broker
from mailer.settings import Settings
from tests.support.reader_pages import SECRET

PASSWORD = "a calm and steady hand"
STAFF = {
    Role.READER: ("rea@example.org", "Rea"),
    Role.MARKETER: ("marc@example.org", "Marc"),
    Role.OPERATOR: ("opal@example.org", "Opal"),
    Role.OWNER: ("owen@example.org", "Owen"),
}
FORM_KEY = re.compile(r'name="form_key" value="([0-9a-f]+)"')


def desk_settings(database_url: str, redis: EmbeddedRedis, folder: Path) -> Settings:
    """What the desk runs with; nobody's tries to sign in are counted yet."""
    # Other tests' people have the same addresses.
    Broker(redis.broker_url).empty()
    return Settings(
        database_url=database_url,
        redis_url=redis.broker_url,
        secret_key=(SECRET,),
        data_dir=folder / "data",
    )


def hire(sessions: Sessions, *roles: Role) -> None:
    """Give the people of these roles (all when none is named) a login with PASSWORD."""
    with session_scope(sessions) as session:
        for role in roles or tuple(STAFF):
            email, name = STAFF[role]
            by = at_the_machine("tests")
            operator = add_operator(session, by, email, role, session_now(session), name=name)
            operator.password_hash = _hash()


@cache
def _hash() -> str:
    """Made once for all tests of a process: it is slow on purpose."""
    return hash_password(PASSWORD)


@dataclass
class Person:
    """Somebody signed in, with their browser."""

    role: Role
    client: httpx.Client
    key: str = ""

    def get(self, path: str, **query: str) -> httpx.Response:
        """A page, redirects followed; its forms' key is kept for `post`."""
        answer = self.client.get(path, params=query, follow_redirects=True)
        found = FORM_KEY.search(answer.text)
        self.key = found[1] if found else self.key
        return answer

    def post(self, path: str, **fields: str) -> httpx.Response:
        """A form of the page that was looked at last, redirects followed."""
        answer = self.client.post(path, data={"form_key": self.key, **fields}, follow_redirects=True)
        found = FORM_KEY.search(answer.text)
        self.key = found[1] if found else self.key
        return answer


def signs_in(address: str, role: Role) -> Person:
    """The person of `role` at the desk of the application at `address`."""
    client = httpx.Client(base_url=address, timeout=30)
    answer = client.post("/desk/sign-in", data={"email": STAFF[role][0], "password": PASSWORD})
    assert answer.status_code == 303, answer.text
    person = Person(role, client)
    person.get("/desk")
    return person


def through_the_form(page: Page, role: Role) -> None:
    """Sign in at the browser `page`, as a person does."""
    page.goto("/desk/sign-in")
    page.get_by_label("Address").fill(STAFF[role][0])
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
