"""One authored mail, compiled once for all its readers, or everything that is wrong with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from mailer.content.assemble import CompiledMessage, assemble
from mailer.content.campaign_file import CampaignSource
from mailer.content.check_in import check_in_frame, lint_summaries, with_check_in
from mailer.content.course_folder import CourseSource, Problem, StepSource
from mailer.content.html import CONTENT_WIDTH, Picture
from mailer.content.layout import Frame, Progress
from mailer.content.lint import lint_blocks, lint_control_balance
from mailer.content.markdown import Findings, parser, read_blocks
from mailer.content.media import pixel_width
from mailer.content.mjml_document import assemble_document, lint_document
from mailer.content.own_layout import own_document
from mailer.content.placeholders import Placeholders
from mailer.content.variables import CANNOT_RENDER, Where, author_environment, sample_context

__all__ = ["CompiledMessage", "Progress", "compile_campaign", "compile_mail", "compile_step"]

MOST_BYTES = 60_000
"""Gmail cuts a mail off at 102 kB of HTML; long before that it is slow to open on a phone."""

LINKS = ("view", "manage", "unsubscribe")
COURSE_LINKS = ("pace", *LINKS)


class Authored(Protocol):
    """A file with a subject and a text: a step's, or a campaign's."""

    @property
    def path(self) -> Path: ...
    @property
    def subject(self) -> str: ...
    @property
    def preheader(self) -> str: ...
    @property
    def body(self) -> str: ...
    @property
    def body_line(self) -> int: ...
    @property
    def lines(self) -> dict[str, int]: ...


Compiled = tuple[CompiledMessage | None, list[Problem]]
"""The message, None when a problem is an error; and all problems, not only the first."""


def compile_step(
    course: CourseSource, step: StepSource, *, position: Progress, media: Mapping[str, str]
) -> Compiled:
    """The compiled mail of one step, and what is wrong with it.

    `media` maps media/x.png to the published name.
    """
    fixed = (course.title, course.list_title, course.disclaimer, *vars(course.sender).values())
    mail = _Mail(step, _placeholders(step, fixed), media, course.folder, Where.COURSE_MAILS)
    return mail.compile(
        Frame(
            language=course.language,
            purpose="step",
            masthead=course.title,
            subject="",
            preheader="",
            list_title=course.list_title,
            postal_address=course.sender.postal_address,
            disclaimer=course.disclaimer,
            links=mail.links(COURSE_LINKS),
            kind=step.kind,
            progress=position,
            check_in=check_in_frame(mail.placeholders, step.kind, position),
        )
    )


def compile_campaign(campaign: CampaignSource, media: Mapping[str, str]) -> Compiled:
    """The compiled mail of a campaign, and what is wrong with it.

    Which list a reader is reached by, and who the sender is, is said when it is sent.
    """
    mail, frame = _campaign_mail(campaign, media)
    return mail.compile(frame)


def campaign_in_mjml(campaign: CampaignSource, media: Mapping[str, str]) -> tuple[str | None, list[Problem]]:
    """A campaign in Markdown as an MJML document that its author may change: our layout, written out.

    None with the problems when an error stands in the way.
    """
    mail, frame = _campaign_mail(campaign, media)
    message, problems = mail.compile(frame)
    return (mail.in_mjml(frame) if message is not None else None), problems


def _campaign_mail(campaign: CampaignSource, media: Mapping[str, str]) -> tuple[_Mail, Frame]:
    mail = _Mail(
        campaign,
        _placeholders(campaign, (campaign.disclaimer,)),
        media,
        campaign.path.parent,
        Where.EVERY_MAIL,
        is_document=campaign.is_mjml,
    )
    return mail, Frame(
        language=campaign.language,
        purpose="campaign",
        masthead=mail.placeholders.expression("sender.name"),
        subject="",
        preheader="",
        list_title=mail.placeholders.expression("list.title"),
        postal_address=mail.placeholders.expression("sender.postal_address"),
        disclaimer=campaign.disclaimer,
        links=mail.links(LINKS),
    )


def compile_mail(mail: CampaignSource) -> Compiled:
    """The compiled mail that a program sends to one person at a time, and what is wrong with it.

    It has no pictures, and nothing to unsubscribe from: it answers something that its reader did.
    """
    made = _Mail(mail, _placeholders(mail, ()), {}, mail.path.parent, Where.EVERY_MAIL)
    return made.compile(
        Frame(
            language=mail.language,
            purpose="mail",
            masthead=made.placeholders.expression("sender.name"),
            subject="",
            preheader="",
            list_title=made.placeholders.expression("list.title"),
            postal_address=made.placeholders.expression("sender.postal_address"),
            disclaimer="",
            links=made.links(("view",)),
        )
    )


def _placeholders(mail: Authored, fixed: tuple[str, ...]) -> Placeholders:
    return Placeholders(mail.body, mail.subject, mail.preheader, *fixed)


@dataclass(frozen=True)
class _Mail:
    """One mail on its way to being compiled: its text, its tags, and the pictures of its folder."""

    source: Authored
    placeholders: Placeholders
    media: Mapping[str, str]
    folder: Path
    where: Where
    is_document: bool = False
    """Whether the text is MJML, from its first section to its last."""

    def links(self, purposes: tuple[str, ...]) -> dict[str, str]:
        """The links at the mail's foot."""
        return {purpose: self.placeholders.expression(f"links.{purpose}") for purpose in purposes}

    def compile(self, frame: Frame) -> Compiled:
        """The mail in `frame`, whose subject and preheader are the text's own."""
        name, first = self.source.path.name, self.source.body_line
        findings, body = Findings(), Findings()
        frame = replace(
            frame, subject=self._header("subject", findings), preheader=self._header("preheader", findings)
        )
        shown: dict[str, None] = {}
        make = self._document(body, shown) if self.is_document else self._blocks(frame, body, shown)
        problems = [Problem(name, line, what, fix) for line, what, fix in findings.found]
        problems += [
            Problem(name, line + first, self.placeholders.shown(what), fix) for line, what, fix in body.found
        ]
        if problems:
            return None, problems
        try:
            message = make(frame)
        except ValueError as error:  # from the MJML compiler, for what our own check of a block overlooked
            what = f"The mail's MJML cannot be compiled ({error})."
            fix = "Look at its MJML." if self.is_document else "Look at each ```mjml block of this mail."
            return None, [Problem(name, first, what, fix)]
        unfit = _template_problems(name, first, message)
        if unfit:
            return None, unfit
        return replace(message, images=tuple(shown)), _size_problems(name, first, message)

    def _blocks(
        self, frame: Frame, findings: Findings, shown: dict[str, None]
    ) -> Callable[[Frame], CompiledMessage]:
        """How to make the mail of Markdown; what is wrong with it is told first."""
        markdown = parser(findings)
        taken = self.placeholders.take_out(self.source.body, findings.add, self.where)
        blocks = read_blocks(markdown, taken)
        lint_blocks(blocks, self.placeholders, self.media, findings)
        lint_summaries(blocks, frame, findings)
        picture = self._picture(shown)
        return lambda frame: assemble(
            frame, with_check_in(blocks, frame), markdown, self.placeholders, picture
        )

    def _document(self, findings: Findings, shown: dict[str, None]) -> Callable[[Frame], CompiledMessage]:
        """How to make the mail of its author's own MJML; what is wrong with it is told first."""
        taken = self.placeholders.take_out(self.source.body, findings.add, self.where)
        lint_document(taken, self.placeholders, self.media, findings)
        picture = self._picture(shown)
        return lambda frame: assemble_document(frame, taken, self.placeholders, picture)

    def in_mjml(self, frame: Frame) -> str:
        """The mail of Markdown in which nothing is wrong, its pictures named as the text names them."""
        markdown = parser(Findings())
        taken = self.placeholders.take_out(self.source.body, Findings().add, self.where)
        blocks = read_blocks(markdown, taken)
        return self.placeholders.shown(
            own_document(frame, blocks, markdown, self._picture({}, as_named=True))
        )

    def _header(self, field: str, findings: Findings) -> str:
        """The subject or preheader with its tags taken out."""
        line = self.source.lines.get(field, 1)
        taken = self.placeholders.take_out(
            getattr(self.source, field),
            lambda _offset, what, fix: findings.add(line, what, fix),
            self.where,
        )
        lint_control_balance(taken, line, self.placeholders, findings)
        return taken

    def _picture(self, shown: dict[str, None], *, as_named: bool = False) -> Picture:
        """Where a picture is published (or how the text names it) and how wide it is shown.

        What was asked for is noted in `shown`.
        """

        def picture(source: str) -> tuple[str, int]:
            published = self.media[source]
            shown[published] = None
            width = pixel_width((self.folder / source).read_bytes()) or CONTENT_WIDTH
            address = f"{self.placeholders.expression('base_url')}/media/{published}"
            return source if as_named else address, min(width, CONTENT_WIDTH)

        return picture


def _template_problems(name: str, line: int, message: CompiledMessage) -> list[Problem]:
    """A last look: no mail is published that its readers' templates could not be made of."""
    environment = author_environment(autoescape=True)
    for template in (message.subject, message.preheader, message.html, message.text):
        try:
            environment.from_string(template).render(sample_context())
        except CANNOT_RENDER as error:
            what = f"The mail's tags do not fit together ({error})."
            return [Problem(name, line, what, "Look at each {% if %} and {{ … }} of this mail.")]
    return []


def _size_problems(name: str, line: int, message: CompiledMessage) -> list[Problem]:
    size = len(message.html.encode())
    if size <= MOST_BYTES:
        return []
    what = f"The mail is {size // 1000} kB of HTML, more than {MOST_BYTES // 1000} kB."
    return [Problem(name, line, what, "Split it in two.", is_warning=True)]
