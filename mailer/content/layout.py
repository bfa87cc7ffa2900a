"""The layout around a mail's blocks: our MJML templates, filled once, then HTML with inlined styles."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

import css_inline
import jinja2
from markupsafe import Markup
from mjml import mjml2html

from mailer.content.text_layout import Measure, wrapped
from mailer.i18n import install, is_right_to_left
from mailer.models import StepKind
from mailer.settings import PROJECT

MAIL_TEMPLATES = PROJECT / "templates" / "mail"
KEEP_IN_HEAD = 'data-css-inline="ignore"'
CONTROL_CHARACTERS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffe\uffff]")
"""Invisible, forbidden in XML 1.0 (section 2.2), and left behind by some word processors."""

MOST_DOTS = 20
"""More dots than this would not fit a phone 320 pixels wide."""


@dataclass(frozen=True)
class Progress:
    """How far a step is: lesson 5 of 18, day 9 of 30, week 2 of 4 (weeks in a protocol's steps only)."""

    lesson: int
    lessons: int
    day: int
    days: int
    week: int | None
    weeks: int


@dataclass(frozen=True)
class CheckInFrame:
    """What a course's mail says of check-ins, in placeholders.

    `answers` maps each answer to the address that tells it, in a week's mail only; `said` holds each week of
    the course with what the reader said of it. `repeat` opens and closes what a repeated week begins with.
    """

    answers: dict[str, str]
    said: tuple[tuple[int, str], ...]
    progress: str
    repeat: tuple[str, str]


@dataclass(frozen=True)
class Frame:
    """What stands around the blocks. Texts may hold placeholders; `links` maps a purpose to an address.

    `purpose` chooses the sentence on why one receives this: step, campaign, welcome, confirm or mail.
    """

    language: str
    purpose: str
    masthead: str
    subject: str
    preheader: str
    list_title: str
    postal_address: str
    disclaimer: str
    links: dict[str, str]
    kind: StepKind | None = None
    progress: Progress | None = None
    check_in: CheckInFrame | None = None

    def as_values(self) -> dict[str, Any]:
        """For the templates, with what follows from the rest: the direction and the cells to draw."""
        rtl = is_right_to_left(self.language)
        sides = {"direction": "rtl", "start": "right", "end": "left"}
        if not rtl:
            sides = {"direction": "ltr", "start": "left", "end": "right"}
        return {**vars(self), **sides, "cells": _cells(self.kind, self.progress)}


def _cells(kind: StepKind | None, progress: Progress | None) -> list[bool]:
    """For each cell of the drawn progress whether it is filled: dots for lessons, a bar for weeks."""
    if progress is None:
        return []
    if kind is StepKind.PROTOCOL and progress.week:
        done, of = progress.week, max(progress.weeks, progress.week)
    elif kind is StepKind.LESSON:
        done, of = progress.lesson, max(progress.lessons, progress.lesson)
    else:
        done, of = progress.day, max(progress.days, progress.day)
    shown = min(of, MOST_DOTS)
    # Rounded up, so that the first step already fills a cell, and only the last fills them all.
    filled = shown if done == of else min(shown - 1, -(-done * shown // of))
    return [number < max(filled, 1) for number in range(shown)]


@lru_cache(maxsize=32)
def mail_templates(language: str, *, autoescape: bool = True) -> jinja2.Environment:
    """Our own templates in templates/mail, speaking `language`; trusted, and run at compile time only."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(MAIL_TEMPLATES),
        autoescape=autoescape,  # noqa: S701 - off for text parts and Markdown only
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    install(environment, language)
    return environment


def fill_html(frame: Frame, blocks: list[Markup]) -> str:
    """The mail's MJML, with the blocks in their place."""
    template = mail_templates(frame.language).get_template("layout.mjml")
    return template.render(frame.as_values(), blocks=blocks)


def fill_text(frame: Frame, body: str, measure: Measure) -> str:
    """The mail's text part around `body`."""
    template = mail_templates(frame.language, autoescape=False).get_template("layout.txt")
    text = template.render(frame.as_values(), body=body, wrapped=partial(wrapped, measure=measure))
    return CONTROL_CHARACTERS.sub("", text)


def to_html(mjml: str, *, start: str) -> str:
    """MJML as HTML with our styles inlined; the styles in its head (resets, media queries) stay there.

    `start` is the side that lines begin on, left or right.
    """
    # fonts={}: else a link to a font server is added for every family it knows.
    html = mjml2html(CONTROL_CHARACTERS.sub("", mjml), fonts={})
    inliner = css_inline.CSSInliner(
        keep_style_tags=True,
        load_remote_stylesheets=False,
        minify_css=True,
        extra_css=own_styles(start),
    )
    # Inlined, MJML's resets would be repeated in every cell of every table, and double the mail.
    html = html.replace("<style ", f"<style {KEEP_IN_HEAD} ")
    return _compact(inliner.inline(html).replace(f" {KEEP_IN_HEAD}", ""))


def own_styles(start: str) -> str:
    """The styles of our own classes, where lines begin on the side `start`."""
    styles = mail_templates("en", autoescape=False).get_template("inline.css")
    return styles.render(start=start, end="left" if start == "right" else "right")


def _compact(html: str) -> str:
    """Without the space that only our templates' indentation put between tags."""
    return re.sub(r">\n\s+<", ">\n<", html)
