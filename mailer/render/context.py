"""The values that a mail's templates may use, for one person. `content/variables.py` lists them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Any

from mailer.i18n import format_date, translator
from mailer.links import Signer


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


@dataclass(frozen=True)
class MailLinks:
    """The addresses in one mail. `confirm` is there in a confirmation mail only.

    `click` is what a tracked link begins with; authors are not offered it."""

    view: str
    manage: str
    unsubscribe: str
    pace: str
    confirm: str = ""
    click: str = ""


def mail_links(base_url: str, signer: Signer, delivery_id: int, confirm_token: str = "") -> MailLinks:
    """The links of one delivery, all by one token (see mailer/links.py)."""
    token = signer.delivery_token(delivery_id)
    mail = f"{base_url}/m/{token}"
    confirm = f"{base_url}/confirm/{confirm_token}" if confirm_token else ""
    unsubscribe, pace, click = f"{mail}/unsubscribe", f"{mail}/pace", f"{base_url}/l/{token}"
    return MailLinks(mail, f"{mail}/manage", unsubscribe, pace, confirm, click)


def build_context(
    reader: Reader, about: About, links: MailLinks, *, language: str, base_url: str
) -> dict[str, Any]:
    """Everything a template can name; `language` is that of the mail, which may not be the reader's."""
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
    }


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
