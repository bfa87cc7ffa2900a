"""The values that a mail's templates may use, for one person. `content/variables.py` lists them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from mailer.i18n import answer_words, format_date, translator
from mailer.links import Signer
from mailer.models import Answer

NOTHING_SAID: Mapping[int, str] = MappingProxyType({})
SILENT = "–"
"""What stands for a week that nothing was said of."""


@dataclass(frozen=True)
class Reader:
    """The person a mail is for."""

    email: str
    name: str
    language: str
    fields: Mapping[str, Any]


@dataclass(frozen=True)
class About:
    """What a mail is about: its list, its sender, and its course when it has one."""

    list_title: str
    sender_name: str
    sender_postal_address: str
    course_title: str = ""
    course_subtitle: str = ""
    course_days: int = 0
    course_mails: int = 0
    first_lesson_on: date | None = None
    course_weeks: tuple[int, ...] = ()


@dataclass(frozen=True)
class MailLinks:
    """The addresses in one mail. `confirm` is there in a confirmation mail only.

    `click` is what a tracked link begins with; authors are not offered it."""

    view: str
    manage: str
    unsubscribe: str
    pace: str
    confirm: str = ""
    data: str = ""
    check_in: str = ""
    progress: str = ""
    click: str = ""


def mail_links(base_url: str, signer: Signer, delivery_id: int, confirm_token: str = "") -> MailLinks:
    """The links of one delivery, all by one token (see mailer/links.py)."""
    token = signer.delivery_token(delivery_id)
    mail = f"{base_url}/m/{token}"
    confirm = f"{base_url}/confirm/{confirm_token}" if confirm_token else ""
    return MailLinks(
        view=mail,
        manage=f"{mail}/manage",
        unsubscribe=f"{mail}/unsubscribe",
        pace=f"{mail}/pace",
        confirm=confirm,
        data=f"{mail}/data",
        check_in=f"{mail}/check-in",
        progress=f"{mail}/progress",
        click=f"{base_url}/l/{token}",
    )


def build_context(
    reader: Reader,
    about: About,
    links: MailLinks,
    *,
    language: str,
    base_url: str,
    said: Mapping[int, str] = NOTHING_SAID,
    is_repeat: bool = False,
) -> dict[str, Any]:
    """Everything a template can name; `language` is that of the mail, which may not be the reader's.

    `said` is what they answered to the check-in of each week.
    """
    first_name = reader.name.split(" ")[0] if reader.name else ""
    first_on = _written_out(about.first_lesson_on, language) if about.first_lesson_on else ""
    return {
        "greeting": greeting(first_name, language),
        "name": reader.name,
        "first_name": first_name,
        "email": reader.email,
        "fields": dict(reader.fields),
        "base_url": base_url,
        "links": {
            "view": links.view,
            "manage": links.manage,
            "pace": links.pace,
            "unsubscribe": links.unsubscribe,
            "confirm": links.confirm,
            "data": links.data,
            "check_in": links.check_in,
            "progress": links.progress,
            "click": links.click,
        },
        "list": {"title": about.list_title},
        "sender": {"name": about.sender_name, "postal_address": about.sender_postal_address},
        "course": {
            "title": about.course_title,
            "subtitle": about.course_subtitle,
            "days": about.course_days,
            "mails": about.course_mails,
        },
        "first_lesson_on": first_on,
        "is_repeat": is_repeat,
        "progress": _progress(about.course_weeks, said, language),
    }


def _progress(weeks: tuple[int, ...], said: Mapping[int, str], language: str) -> dict[str, Any]:
    """What a mail can tell of the weeks; each by its number, too, for the summary's table."""
    if not said:
        return dict(_silence(weeks, language))
    words = {week: _answer_word(said.get(week), language) for week in weeks}
    return {
        "weeks_done": sum(said.get(week) == Answer.DONE for week in weeks),
        "weeks": len(weeks),
        "answers_line": _answers_line(words, language),
        **{str(week): word for week, word in words.items()},
    }


@lru_cache(maxsize=256)
def _silence(weeks: tuple[int, ...], language: str) -> Mapping[str, Any]:
    """The same for somebody who said nothing, as in most mails."""
    line = _answers_line(dict.fromkeys(weeks, SILENT), language)
    return {"weeks_done": 0, "weeks": len(weeks), "answers_line": line}


def _answer_word(answer: str | None, language: str) -> str:
    return answer_words(translator(language).gettext).get(answer or "", SILENT)


def _answers_line(words: Mapping[int, str], language: str) -> str:
    _ = translator(language).gettext
    named = ((_("Week %(week)s") % {"week": week}, word) for week, word in words.items())
    return " · ".join(f"{name}: {word}" for name, word in named)


def greeting(first_name: str, language: str) -> str:
    """A line to begin with that also reads well for somebody without a name."""
    with_name, without = _greetings(language)
    # Mail programs make a link of what looks like one, and a forwarded link lets others set a name.
    if not first_name or "/" in first_name or "@" in first_name or ":" in first_name:
        return without
    return with_name % {"name": first_name}


@lru_cache(maxsize=64)
def _greetings(language: str) -> tuple[str, str]:
    _ = translator(language).gettext
    return _("Hello %(name)s,"), _("Hello,")


@lru_cache(maxsize=512)
def _written_out(day: date, language: str) -> str:
    # A batch has few days in it, and finding the words for one takes longer than the rest of a mail.
    return format_date(day, language)
