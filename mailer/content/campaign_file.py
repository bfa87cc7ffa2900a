"""A campaign's file, read: one message in one language, to whom it goes, and who it is from."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

from mailer.content.canary import Canary
from mailer.content.course_source import Problem, SenderSource
from mailer.content.course_toml import SENDER
from mailer.content.course_words import SLUG, is_address, is_language, is_one_line, known_or_near
from mailer.content.front_matter import Settings, Text, read_plain, read_text
from mailer.content.trial import TestPlan, VariantSource
from mailer.content.trial_settings import NAMES, read_canary_setting, read_test, read_variants
from mailer.models import Losing

AIM = ("segment", "exclude_segment", "exclude_lists", "not_if_sent")
NO_ROOM = "no_room"
CHOSEN = ("lists", *AIM, NO_ROOM)
"""What is chosen of whom it is for, beside its text."""
SETTINGS = (
    "slug",
    "subject",
    "preheader",
    "language",
    "lists",
    *AIM,
    "sender",
    "disclaimer",
    "public",
    NO_ROOM,
    *NAMES,
)
SEVERAL = ("lists", "exclude_lists", "not_if_sent")
BEGIN = "Begin the file with a `---` block with slug, subject and lists."
OF_SENDER = (*SENDER, "reply_to")


@dataclass(frozen=True)
class CampaignSource:
    """A campaign as its author wrote it. `body` is Markdown, or MJML in a file that is called so;
    `body_line` is the file's line it begins on.

    `sender` is a block of its own, or the slug of a sender that is known; empty, it is the first list's.
    It is for those of the lists (none: of every list) who are in `segment`, but not in `exclude_segment`, on
    `exclude_lists`, nor reached by the campaigns `not_if_sent`. `no_room` is what becomes of a mail that the
    cap leaves no room for; None: what the house chose. When it `is_public`, anybody may read it in the
    archive. What the file does not say rightly is left blank.
    """

    path: Path
    slug: str
    subject: str
    preheader: str
    language: str
    lists: tuple[str, ...]
    sender: SenderSource | str
    disclaimer: str
    body: str
    body_line: int
    segment: str = ""
    exclude_segment: str = ""
    exclude_lists: tuple[str, ...] = ()
    not_if_sent: tuple[str, ...] = ()
    no_room: Losing | None = None
    variants: tuple[VariantSource, ...] = ()
    test: TestPlan | None = None
    canary: Canary | None = None
    is_public: bool = False
    lines: dict[str, int] = field(default_factory=dict, compare=False)

    @property
    def is_mjml(self) -> bool:
        """Whether the body is a whole mail in MJML, by the file's name."""
        return self.path.suffix.lower() == ".mjml"


def read_campaign(path: Path, problems: list[Problem], *, is_translation: bool) -> CampaignSource | None:
    """The campaign in `path`, what is wrong told; None when its text cannot even be found.

    A translation may leave out its lists: it goes to those of the file that it translates.
    """
    text = read_text(path, "campaign", BEGIN, problems)
    if text is None:
        return None
    settings = Settings(
        *(path.name, "campaign", SETTINGS, problems),
        lists=SEVERAL,
        sections=("sender", "test", "canary"),
        of_sections=("variants",),
    )
    settings.read(text.settings)
    return campaign_of(path, text, settings, is_translation=is_translation)


def campaign_of(path: Path, text: Text, settings: Settings, *, is_translation: bool) -> CampaignSource:
    """The campaign that settings which were read, and the text below them, say."""
    return CampaignSource(
        path=path,
        slug=settings.slug("slug"),
        subject=settings.one_line("subject"),
        preheader=settings.one_line("preheader", default=""),
        language=_language(settings),
        lists=_lists(settings, is_translation=is_translation),
        sender=_sender(settings),
        disclaimer=settings.values.get("disclaimer", ""),
        body=text.body,
        body_line=text.body_line,
        segment=_segment(settings, "segment"),
        exclude_segment=_segment(settings, "exclude_segment"),
        exclude_lists=_slugs(settings, "exclude_lists"),
        not_if_sent=_slugs(settings, "not_if_sent"),
        no_room=_no_room(settings),
        variants=read_variants(settings),
        test=None if is_translation else read_test(settings),
        canary=read_canary_setting(settings),
        is_public=_is_public(settings),
        lines=settings.lines,
    )


def read_variant(source: CampaignSource, variant: VariantSource, problems: list[Problem]) -> CampaignSource:
    """The campaign as this variant of it says it; without its file's text, should that not be readable."""
    changed = replace(
        source,
        subject=variant.subject or source.subject,
        preheader=variant.preheader or source.preheader,
        sender=variant.sender or source.sender,
        lines={**source.lines, **_lines_of(source, variant)},
    )
    if not variant.file:
        return changed
    path = source.path.parent / variant.file
    body = read_plain(path, "variant", problems)
    return replace(changed, path=path, body=body or "", body_line=1)


def _lines_of(source: CampaignSource, variant: VariantSource) -> dict[str, int]:
    """Where the settings stand that are the variant's own."""
    names = ("subject", "preheader", "sender")
    places = {name: source.lines.get(f"variants.{variant.name}.{name}") for name in names}
    return {name: line for name, line in places.items() if line}


def _language(settings: Settings) -> str:
    value = settings.values.get("language", "en")
    if is_language(value):
        return value
    settings.problem("language", f"{value!r} is not a language.", "Write a tag such as en, de or pt-BR.")
    return "en"


def _lists(settings: Settings, *, is_translation: bool) -> tuple[str, ...]:
    """The lists' slugs, each once, in the order in which people are counted as reached by them."""
    named = _slugs(settings, "lists")
    may_be_missing = "lists" not in settings.lines and (is_translation or "segment" in settings.lines)
    if not named and not may_be_missing:
        what = "`lists` is empty." if "lists" in settings.lines else "`lists` is missing."
        settings.problem("lists", what, "Write `lists: [slug]`; `steadypost list list` shows the slugs.")
    return named


def _slugs(settings: Settings, name: str) -> tuple[str, ...]:
    """A setting's slugs, each once; it may be written as one."""
    one = settings.values.get(name)
    named = [one] if one else settings.several.get(name, [])
    wrong = [slug for slug in named if not SLUG.fullmatch(slug)]
    if wrong:
        settings.problem(name, f"`{name}` names {wrong[0]!r}.", "Use small letters, digits and hyphens.")
    return tuple(dict.fromkeys(slug for slug in named if slug not in wrong))


def _segment(settings: Settings, name: str) -> str:
    """A segment's slug; a rule itself is not written here, so that it has a name and can be counted."""
    if name not in settings.lines:
        return ""
    value = settings.values.get(name, "")
    if SLUG.fullmatch(value):
        return value
    fix = "Write the slug of a segment; `steadypost segment list` shows them."
    settings.problem(name, f"`{name}` is {value!r}.", fix)
    return ""


def _no_room(settings: Settings) -> Losing | None:
    value = settings.values.get(NO_ROOM)
    if value is None:
        return None
    if value in list(Losing):
        return Losing(value)
    fix = f"Write {' or '.join(f'`{NO_ROOM}: {one}`' for one in Losing)}."
    settings.problem(NO_ROOM, f"`{NO_ROOM}` is {value!r}.", fix)
    return None


def _is_public(settings: Settings) -> bool:
    value = settings.values.get("public", "false")
    if value not in ("true", "false"):
        settings.problem("public", f"`public` is {value!r}.", "Write `public: true` or `public: false`.")
    return value == "true"


def _sender(settings: Settings) -> SenderSource | str:
    block = settings.section.get("sender")
    if block is None:
        value = settings.values.get("sender", "")
        if value and not SLUG.fullmatch(value):
            fix = "Write the slug of a sender that is known, or a block with name, email and postal_address."
            settings.problem("sender", f"`sender` is {value!r}.", fix)
        return value
    for name in block.keys() - set(OF_SENDER):
        what = f"`{name}` is not a setting of a sender."
        settings.problem(f"sender.{name}", what, known_or_near(name, OF_SENDER))
    return SenderSource(**{name: _of_sender(settings, name, block.get(name, "")) for name in OF_SENDER})


def _of_sender(settings: Settings, name: str, value: str) -> str:
    place = f"sender.{name}"
    if not value and name in SENDER:
        fix = f"{SENDER[name]} Write `{name}: …` below `sender:`."
        settings.problem(place, f"The sender's {name} is missing.", fix)
    elif name in ("email", "reply_to") and value and not is_address(value):
        settings.problem(place, f"{value!r} is not an email address.", "Write name@domain.")
    elif not is_one_line(value):
        settings.problem(place, f"The sender's {name} has a line break.", "Write it on one line.")
    return value
