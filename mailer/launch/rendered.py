"""What is wrong with a mail as one person would get it: size, subject, text part, links, pictures."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from lxml import html as lxml_html

from mailer.content.course_source import Problem
from mailer.launch.ahead import leads_to, named_links
from mailer.launch.contrast import faint_texts
from mailer.launch.mailing import Draft
from mailer.render.personalize import Rendered

CUT_OFF = 102_000
"""Bytes of HTML after which Gmail cuts a mail off, and its unsubscribe link with it."""
LARGE = 60_000
LONG_SUBJECT = 70
"""Characters; mail programs on telephones show 40 to 60."""
SAW = re.compile(
    r"\b(saw|seen|learn(?:ed|t)|said|remember|recall|earlier|back in|gesehen|gelernt|erinner\w*|damals)\b",
    re.IGNORECASE,
)
NAMED = re.compile(r"\b(lesson|lektion|week|woche|day|tag)\s+(\d{1,3})\b", re.IGNORECASE)
KINDS = {"lektion": "lesson", "woche": "week", "tag": "day"}


@dataclass(frozen=True)
class Page:
    """A rendered mail taken apart."""

    mail: Rendered
    links: tuple[str, ...]
    headings: tuple[str, ...]
    bare_pictures: tuple[str, ...]


def read_page(mail: Rendered) -> Page:
    """The mail's links, headings, and pictures without alternative text."""
    root = lxml_html.document_fromstring(mail.html.encode(), parser=lxml_html.HTMLParser(encoding="utf-8"))
    return Page(
        mail,
        tuple(dict.fromkeys(str(link.get("href")) for link in root.iter("a") if link.get("href"))),
        tuple("".join(element.itertext()).strip() for element in root.iter("h1", "h2", "h3")),
        tuple(str(image.get("src", "")) for image in root.iter("img") if image.get("alt") is None),
    )


def findings_of_text(draft: Draft) -> Iterator[Problem]:
    """What the author's text itself shows, whoever reads it."""
    for offset, apart, least in faint_texts(draft.body):
        what = f"Text stands out too little from what is under it: {apart:.1f} to 1, not {least:g} to 1."
        fix = "Take a darker colour for the text, or a lighter one below it."
        yield Problem(draft.place, draft.first_line + offset, what, fix, is_warning=True)
    yield from _references(draft)
    yield from _links_ahead(draft)


def _links_ahead(draft: Draft) -> Iterator[Problem]:
    """Links to what of the same course comes only later, by their words or their address."""
    for address, words in named_links(draft.templates.html):
        step = leads_to(address, words, draft.course, draft.ahead)
        later = [named[0] for named, at, _ in _named(draft, words) if at[0] < int(named[2]) <= at[1]]
        if step is not None:
            what = f"The link “{words}” leads to what comes only on day {step.day}."
        elif later:
            what = f"The link “{words}” leads to {later[0]}, which is still to come."
        else:
            continue
        line = draft.line_of(address) or draft.line_of(words)
        yield Problem(draft.place, line, what, "Link to what its readers have had.", is_warning=True)


def _named(draft: Draft, text: str) -> Iterator[tuple[re.Match[str], tuple[int, int], str]]:
    """Each lesson, week or day that is named by its number, with where the reader stands, and its kind."""
    stands = {"lesson": draft.lesson, "week": draft.week, "day": draft.day}
    for named in NAMED.finditer(text):
        kind = KINDS.get(named[1].lower(), named[1].lower())
        at = stands[kind]
        if at is not None:
            yield named, at, kind


def _references(draft: Draft) -> Iterator[Problem]:
    """Words about a lesson, week or day that is still to come, as if it had been; or that is not there."""
    text = draft.body or draft.templates.text
    for sentence in re.split(r"(?<=[.!?])\s+|\n\s*\n", text):
        for named, at, kind in _named(draft, sentence):
            number = int(named[2])
            if number > at[1]:
                what = f"“{named[0]}” is named, and the course has {at[1]}."
            elif number > at[0] and SAW.search(sentence[: named.start()]):
                what = f"“{named[0]}” is spoken of as if it had been, and this is {kind} {at[0]}."
            else:
                continue
            line = draft.line_of(named[0])
            yield Problem(draft.place, line, what, "Name what its readers know by then.", is_warning=True)


def findings_of_mail(draft: Draft, page: Page, unsubscribe: str, reader: str) -> Iterator[Problem]:
    """What is wrong with this mail for `reader`, who is told in our words."""
    mail, size = page.mail, len(page.mail.html.encode())
    if size > LARGE:
        is_cut = size > CUT_OFF
        what = f"For {reader} the mail is {size // 1000} kB of HTML, more than "
        what += "the 102 kB at which Gmail cuts it off." if is_cut else f"{LARGE // 1000} kB."
        yield Problem(draft.place, 0, what, "Split it in two.", is_warning=not is_cut)
    for source in page.bare_pictures:
        what = f"The picture {source} has no alternative text."
        yield Problem(draft.place, draft.line_of("<img"), what, 'Write alt="…", saying what it shows.')
    for part, has_it in (("HTML", unsubscribe in page.links), ("text", unsubscribe in mail.text)):
        if not has_it:
            what = f"The {part} of the mail has no link to unsubscribe."
            yield Problem(draft.place, 0, what, "Put links.unsubscribe back into the mail's frame.")
    yield from _differences(draft, page)


def subject_findings(draft: Draft, subject: str, reader: str, *, may_be_long: bool) -> Iterator[Problem]:
    """A subject that is empty, too long, or has a gap where a value was to stand."""
    if not subject:
        what = f"For {reader} the subject is empty."
        yield Problem(draft.place, 0, what, "Give its variable a default().")
    elif len(subject) > LONG_SUBJECT and not may_be_long:
        what = f"For {reader} the subject has {len(subject)} characters, more than {LONG_SUBJECT}."
        yield Problem(draft.place, 0, what, "Say it in fewer words.", is_warning=True)
    if re.match(r"[,;:.!?]", subject) or re.search(r" [,;.!?](\s|$)|\bNone\b", subject):
        what = f"For {reader} the subject has a gap: “{subject[:80]}”."
        yield Problem(draft.place, 0, what, "Give its variable a default().", is_warning=True)


def _differences(draft: Draft, page: Page) -> Iterator[Problem]:
    said = _letters(page.mail.text)
    for link in page.links:
        if link.startswith(("http://", "https://")) and link not in page.mail.text:
            what = f"The text part lacks the link {link}."
            yield Problem(
                draft.place, draft.line_of(link), what, "Write it as a Markdown link.", is_warning=True
            )
    for heading in page.headings:
        if _letters(heading) not in said:
            what = f"The text part lacks the heading “{heading}”."
            yield Problem(
                draft.place, draft.line_of(heading), what, "Write it as `## ` heading.", is_warning=True
            )


def _letters(text: str) -> str:
    """Only what is read: the text part breaks lines and underlines."""
    return "".join(filter(str.isalnum, text)).casefold()
