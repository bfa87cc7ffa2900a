"""The pages of those who work here: one frame, the words that all share, and who sees which entry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any
from urllib.parse import quote, unquote, urlencode, urlsplit

import jinja2
from fastapi import Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from mailer.accounts.rights import MEANING, Actor, Right
from mailer.clock import zone
from mailer.web.cookie import FORM_KEY, key_of_forms
from mailer.web.pages import PRIVATE_HEADERS, TEMPLATES, asset_digest
from mailer.web.subject import without_tags

DESK_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)

DONE = "steadypost_done"


@dataclass(frozen=True)
class Entry:
    """A line of the menu: its words, its address, and the right that its page takes.

    `more` is how the addresses of pages begin that belong to it and are not below its own.
    """

    words: str
    path: str
    right: Right | None = Right.SEE
    more: str = ""

    def is_at(self, path: str) -> bool:
        """Whether the page of this address is its own, or belongs to it."""
        if path == self.path or (self.more and path.startswith(self.more)):
            return True
        return self.path != HOME and path.startswith(f"{self.path}/")


@dataclass(frozen=True)
class Group:
    """Lines of the menu that are folded together; open when it `is_open`. One line alone is not folded."""

    words: str
    entries: Sequence[Entry]
    is_open: bool


HOME = "/desk"
MENU: Mapping[str, tuple[Entry, ...]] = {
    "": (Entry("Home", HOME),),
    "Write": (
        Entry("Courses", "/desk/courses", more="/desk/new-course"),
        Entry("Campaigns", "/desk/campaigns", more="/desk/new-campaign"),
        Entry("Series", "/desk/series", more="/desk/new-series"),
        Entry("Archive", "/desk/archive"),
    ),
    "Audience": (
        Entry("Subscribers", "/desk/subscribers"),
        Entry("Lists", "/desk/lists"),
        Entry("Segments", "/desk/segments", more="/desk/new-segment"),
        Entry("Tags", "/desk/tags"),
        Entry("Fields", "/desk/fields"),
        Entry("Suppression", "/desk/suppressions"),
        Entry("Forms", "/desk/forms"),
        Entry("Import", "/desk/imports"),
    ),
    "Read": (Entry("Reports", "/desk/reports"),),
    "Watch": (
        Entry("Board", "/desk/board"),
        Entry("Deliveries", "/desk/deliveries"),
        Entry("Reasons", "/desk/reasons"),
        Entry("History", "/desk/history"),
        Entry("Holds", "/desk/holds"),
        Entry("Audit log", "/desk/audit"),
        Entry("What to do", "/desk/operating"),
    ),
    "Set up": (
        Entry("Senders", "/desk/senders"),
        Entry("Transports", "/desk/transports"),
        Entry("First mail", "/desk/first-mail", Right.RUN),
        Entry("Alarms", "/desk/alarms"),
        Entry("Settings", "/desk/settings"),
        Entry("Webhooks", "/desk/webhooks", Right.MANAGE),
        Entry("API", "/api/docs", None),
    ),
    "Administer": (
        Entry("People", "/desk/people", Right.MANAGE),
        Entry("API tokens", "/desk/tokens", None),
    ),
}
"""What the menu shows, in groups, the day's work first; who has not the right does not see the line."""


class Desk:
    """Makes the desk's pages; `root` is the path that a proxy takes away, empty as a rule."""

    def __init__(self, base_url: str) -> None:
        self.root = urlsplit(base_url).path.rstrip("/")

    def page(
        self,
        request: Request,
        template: str,
        actor: Actor | None = None,
        *,
        status: int | None = None,
        headers: Mapping[str, str] | None = None,
        **values: Any,
    ) -> HTMLResponse:
        """The page made from a template of `desk/`; `actor` sees their own entries, zone and theme.

        A page with an `error` is a form shown again, and answers 422 unless `status` says otherwise.
        """
        if status is None:
            status = 422 if values.get("error") else 200
        here = request.url.path.removeprefix(self.root)
        body = self.part(
            template,
            actor,
            form_key=key_of_forms(request),
            here=here,
            menu=_menu_of(actor, here),
            notice=_told(request),
            asset_url=self._asset_url,
            **values,
        )
        own = {**PRIVATE_HEADERS, "Content-Security-Policy": DESK_POLICY, "Content-Language": "en"}
        # Forms name their own site to be believed, so the desk's pages may say where they are: to it alone.
        own["Referrer-Policy"] = "same-origin"
        answer = HTMLResponse(body, status, {**own, **(headers or {})})
        if DONE in request.cookies:
            answer.delete_cookie(DONE, path=self.root or "/")
        return answer

    def part(self, template: str, actor: Actor | None, **values: Any) -> str:
        """A template of `desk/` by itself, such as a part of a page that changes while it is looked at."""
        made: str = (
            _environment()
            .get_template(f"desk/{template}")
            .render(
                actor=actor,
                url=self.url,
                time=lambda moment, form="%d %b %Y, %H:%M": shown_time(moment, actor, form),
                zone_name=actor.zone if actor else "UTC",
                **values,
            )
        )
        return made

    def url(self, path: str, **query: object) -> str:
        """The address of a page of the desk, with those of `query` that are not None or empty."""
        asked = {name: value for name, value in query.items() if value not in (None, "")}
        return f"{self.root}{path}" + (f"?{urlencode(asked, doseq=True)}" if asked else "")

    def go(self, path: str, done: str = "", **query: object) -> Response:
        """After a form: on to a page, which tells what was done (`done`, a whole sentence) at its top."""
        answer = RedirectResponse(self.url(path, **query), 303, headers=PRIVATE_HEADERS)
        if done:
            # In a cookie, not in the address: there anybody could have a page of ours say anything.
            answer.set_cookie(
                DONE, quote(done), max_age=60, path=self.root or "/", httponly=True, samesite="lax"
            )
        return answer

    def _asset_url(self, name: str) -> str:
        return f"{self.root}/static/{name}?v={asset_digest(name)}"


def shown_time(moment: datetime | None, actor: Actor | None, form: str = "%d %b %Y, %H:%M") -> str:
    """`moment` on the clock of who looks; the page says the zone once. A dash for none."""
    if moment is None:
        return "–"
    return moment.astimezone(zone(actor.zone if actor else "UTC")).strftime(form)


def _told(request: Request) -> str:
    """What the act before this page did, told once."""
    return unquote(request.cookies.get(DONE, ""))[:500]


def _menu_of(actor: Actor | None, here: str) -> list[Group]:
    """What this actor sees, with the group open in which the page is; from home the first one goes on."""
    if actor is None:
        return []
    seen = {
        words: [entry for entry in entries if entry.right is None or actor.may(entry.right)]
        for words, entries in MENU.items()
    }
    is_in = [words for words, entries in seen.items() if words and any(one.is_at(here) for one in entries)]
    opened = is_in or ["Write"]
    return [Group(words, entries, words in opened) for words, entries in seen.items() if entries]


@lru_cache(maxsize=1)
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    # Attributes of an element stay in the order in which their author wrote them.
    environment.policies["json.dumps_kwargs"] = {"sort_keys": False}
    environment.globals.update(Right=Right, meaning=MEANING, FORM_KEY=FORM_KEY)
    environment.filters["number"] = lambda value: "–" if value is None else f"{value:,}"
    environment.filters["plural"] = plural
    environment.filters["untagged"] = without_tags
    environment.filters["ago"] = ago
    environment.filters["rate"] = rate
    environment.filters["capitalise"] = lambda words: words[:1].upper() + words[1:]
    environment.filters["trip"] = lambda seconds: f"{1000 * seconds:.0f} ms" if seconds < 1 else ago(seconds)
    return environment


def rate(per_second: float | None) -> str:
    """Mails a second as they are compared at a glance: "0", "0.02", "1.5", "1,250"."""
    if not per_second:
        return "0"
    return f"{per_second:,.0f}" if per_second >= 10 else f"{per_second:.2g}"


def plural(count: int, one: str, more: str = "") -> str:
    """ "1 mail", "2,000 mails"."""
    return f"{count:,} {one if count == 1 else more or one + 's'}"


def ago(seconds: float | None) -> str:
    """A span of time in the two words that a person would use: "40 s", "12 min", "3 h", "5 days"."""
    if seconds is None:
        return "–"
    for size, words in ((86_400, "days"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size or (seconds >= size and words != "days"):
            return f"{seconds / size:.0f} {words}"
    return f"{seconds:.0f} s"
