"""The weeks of a guide's protocol, with what to do in each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from mailer.content.guide.labels import (
    Label,
    find_heading_label,
    find_label,
    focus_end,
    names_plan,
    weeks_of_cell,
)
from mailer.content.guide.model import (
    Block,
    Bullets,
    Heading,
    Item,
    LineNote,
    Paragraph,
    Table,
    Text,
    count_words,
    cut,
    one_line,
    plain,
    raw,
    text_of,
)
from mailer.content.guide.outline import Section

INTRO_OF_PLAN = 120
INTRO_OF_OTHERS = 12
"""Words before the first week: more are a lesson of their own, fewer go into week 1's mail."""
LONGEST_NAME = 8
"""Words; "Week 1: Foundations" before a list is the week's name, a longer text is what to do."""


@dataclass(frozen=True)
class Entry:
    """What the guide says under one label. `title` is the name it gives these weeks."""

    label: Label
    blocks: tuple[Block, ...]
    title: Text = ()


@dataclass(frozen=True)
class Week:
    """One week's mail. `entries` are all labels that name the week; `focus` goes with every week.

    `intro` stands in the first week only, `closing` in the last.
    """

    number: int
    heading: Text
    entries: tuple[Entry, ...]
    focus: tuple[Block, ...]
    line: int
    intro: tuple[Block, ...] = ()
    closing: tuple[Block, ...] = ()


@dataclass
class _Plan:
    """A section's blocks, sorted by the label they stand under."""

    section: Section
    intro: list[Block] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    focus: list[Block] = field(default_factory=list)
    closing: list[Block] = field(default_factory=list)
    is_in_focus: bool = False
    is_closing: bool = False
    week_level: int = 0

    @property
    def rank(self) -> tuple[bool, int]:
        return names_plan(self.section.words), len(self.entries)

    @property
    def is_protocol(self) -> bool:
        """One label in a text is a remark; under a heading that says plan it is the plan."""
        return len(self.entries) > (
            0 if self.section.heading is None or names_plan(self.section.words) else 1
        )


def take_protocol(
    sections: Sequence[Section], notes: list[LineNote]
) -> tuple[list[Section], tuple[Week, ...]]:
    """The sections without the protocol's, and the protocol's weeks."""
    plans = [_sorted(section) for section in sections]
    headed = [plan for plan in plans if plan.is_protocol and plan.section.heading is not None]
    chosen = [plan for plan in plans if plan.is_protocol and plan.section.heading is None]
    best = max(headed, key=lambda plan: plan.rank, default=None)
    if best is not None and (not chosen or best.rank[0]):
        chosen = [plan for plan in plans if plan in chosen or plan is best]
    kept: list[Section] = []
    for plan in plans:
        if plan in chosen:
            kept += _own_lesson(plan)
        else:
            if plan in headed:
                why = "this goes by weeks too; it stays a lesson beside the protocol"
                notes.append(LineNote(plan.section.line, plan.section.words, why))
            kept.append(plan.section)
    return kept, _weeks(chosen)


def _own_lesson(plan: _Plan) -> list[Section]:
    """The text before the first week as a lesson, when it is more than an introduction to it."""
    is_plan = names_plan(plan.section.words)
    if count_words(plan.intro) <= (INTRO_OF_PLAN if is_plan else INTRO_OF_OTHERS):
        return []
    lesson = replace(plan.section, blocks=tuple(plan.intro))
    plan.intro = []
    if not is_plan:
        plan.section = replace(plan.section, heading=None)
    return [lesson]


def _sorted(section: Section) -> _Plan:
    plan = _Plan(section)
    if not any(_names_week(block) for block in section.blocks):
        return plan
    for block in section.blocks:
        match block:
            case Heading():
                _sort_heading(plan, block)
            case Paragraph():
                _sort_text(plan, block, block.text, ())
            case Bullets() if any(_begins_label(item.text) for item in block.items):
                _sort_items(plan, block)
            case Table() if _sort_table(plan, block):
                pass
            case _:
                _put(plan, block)
    plan.entries = [_named(entry) for entry in plan.entries]
    return plan


def _names_week(block: Block) -> bool:
    """Whether a block may name a week: most sections have none, and need no sorting."""
    match block:
        case Heading(text=text):
            return find_heading_label(plain(text)) is not None
        case Paragraph(text=text):
            return find_label(raw(text)) is not None
        case Bullets(items=items):
            return any(_begins_label(item.text) for item in items)
        case _:
            return isinstance(block, Table)


def _begins_label(text: Text) -> bool:
    return find_label(raw(text)) is not None or focus_end(raw(text)) is not None


def _sort_heading(plan: _Plan, heading: Heading) -> None:
    words = raw(one_line(heading.text))
    if label := find_heading_label(words):
        title = cut(one_line(heading.text), label.end) if label.words else heading.text
        plan.entries.append(Entry(label, (), title))
        plan.is_in_focus, plan.is_closing, plan.week_level = False, False, heading.level
    elif plan.entries and focus_end(words) is not None:
        _open_focus(plan, Paragraph(heading.text, heading.line), focus_end(words) or 0)
    elif plan.entries and heading.level <= plan.week_level:
        plan.is_closing, plan.is_in_focus = True, False
        _put(plan, heading)
    else:
        _put(plan, heading)


def _sort_text(plan: _Plan, block: Block, text: Text, below: tuple[Block, ...]) -> None:
    """A paragraph, or a point with what hangs below it: it opens a week, the focus, or goes on."""
    label, focus = find_label(raw(text)), focus_end(raw(text))
    if label:
        rest = cut(text, label.end)
        own: tuple[Block, ...] = (Paragraph(rest, block.line),) if rest else ()
        plan.entries.append(Entry(label, (*own, *below)))
        plan.is_in_focus = plan.is_closing = False
    elif plan.entries and focus is not None:
        _open_focus(plan, Paragraph(text, block.line), focus)
        plan.focus += below
    else:
        for each in (block, *below):
            _put(plan, each)


def _sort_items(plan: _Plan, bullets: Bullets) -> None:
    """Points that are labels open weeks; points between them belong to the week above."""
    for item in bullets.items:
        if _begins_label(item.text):
            _sort_text(plan, Paragraph(item.text, item.line), item.text, item.children)
        else:
            _put_item(plan, item, bullets)


def _put_item(plan: _Plan, item: Item, bullets: Bullets) -> None:
    target = _target(plan)
    last = target[-1] if target else None
    if isinstance(last, Bullets) and last.is_ordered == bullets.is_ordered:
        items = (*last.items, item)
        _put(plan, Bullets(items, last.line, last.is_ordered, last.start), replaces=True)
    else:
        _put(plan, Bullets((item,), item.line, bullets.is_ordered))


def _sort_table(plan: _Plan, table: Table) -> bool:
    """A table with a column of weeks: each row is an entry. False when it has no such column."""
    header = table.rows[0]
    labels = [weeks_of_cell(plain(row[0]), plain(header[0])) for row in table.rows[1:]]
    if not labels or any(label is None for label in labels):
        return False
    for at, (label, row) in enumerate(zip(labels, table.rows[1:], strict=True), start=1):
        cells = [(name, cell) for name, cell in zip(header[1:], row[1:], strict=True) if cell]
        items = tuple(Item(_with_column(name, cell), table.line_of(at)) for name, cell in cells)
        if label:
            blocks = (Bullets(items, table.line_of(at)),) if items else ()
            plan.entries.append(Entry(label, blocks))
    plan.is_in_focus = plan.is_closing = False
    return True


def _with_column(name: Text, cell: Text) -> Text:
    """ "Morning: daylight" for the cell of a column called Morning."""
    return (*text_of(f"{plain(name)}: "), *cell) if name else cell


def _open_focus(plan: _Plan, paragraph: Paragraph, end: int) -> None:
    label, rest = cut(paragraph.text, 0, end), cut(paragraph.text, end)
    bold = tuple(replace(run, is_bold=True) for run in label)
    text = (*bold, *text_of(" "), *rest) if rest else bold
    plan.focus.append(Paragraph(text, paragraph.line))
    # "Daily focus:" alone goes on in the next block; with a text behind it, it is complete.
    plan.is_in_focus, plan.is_closing = not rest, bool(rest)


def _target(plan: _Plan) -> Sequence[Block]:
    if plan.is_closing:
        return plan.closing
    if plan.is_in_focus:
        return plan.focus
    return plan.entries[-1].blocks if plan.entries else plan.intro


def _put(plan: _Plan, block: Block, *, replaces: bool = False) -> None:
    """Puts a block where the reading is: under the current label, the focus, or before or after all."""
    blocks = [*_target(plan)[: -1 if replaces else None], block]
    if plan.is_closing:
        plan.closing = blocks
    elif plan.is_in_focus:
        plan.focus = blocks
    elif plan.entries:
        plan.entries[-1] = replace(plan.entries[-1], blocks=tuple(blocks))
    else:
        plan.intro = blocks


def _named(entry: Entry) -> Entry:
    """The entry with its name told from what to do: "Week 1: Foundations" above a list is a name."""
    if entry.title and not entry.blocks:
        return replace(entry, title=(), blocks=(Paragraph(entry.title, 0),))
    first, rest = (entry.blocks[0], entry.blocks[1:]) if entry.blocks else (None, ())
    if entry.title or not rest or not isinstance(first, Paragraph):
        return entry
    words = plain(first.text)
    is_name = len(words.split()) <= LONGEST_NAME and words[-1] not in ".,;:!?…" and "," not in words
    return replace(entry, title=first.text, blocks=rest) if is_name else entry


def _weeks(plans: Sequence[_Plan]) -> tuple[Week, ...]:
    """One Week for each number that any label names."""
    numbers = sorted({number for plan in plans for entry in plan.entries for number in entry.label.weeks})
    focus = tuple(block for plan in plans for block in plan.focus)
    weeks = [_week(number, plans, focus) for number in numbers]
    if weeks:
        intro = tuple(block for plan in plans for block in [*_kicker(plan), *plan.intro])
        closing = tuple(block for plan in plans for block in plan.closing)
        weeks[0] = replace(weeks[0], intro=intro)
        weeks[-1] = replace(weeks[-1], closing=closing)
    return tuple(weeks)


def _week(number: int, plans: Sequence[_Plan], focus: tuple[Block, ...]) -> Week:
    plan = next(plan for plan in plans for entry in plan.entries if number in entry.label.weeks)
    entries = tuple(entry for other in plans for entry in other.entries if number in entry.label.weeks)
    name = entries[0].title if len(entries) == 1 else ()
    label = f"{entries[0].label.week_word} {number}"
    title = one_line(name or plan.section.heading or ())
    heading = (*text_of(f"{label}: "), *title) if title else text_of(label)
    if len(entries) == 1 and name:
        entries = (replace(entries[0], title=()),)
    return Week(number, heading, entries, focus, plan.section.line)


def _kicker(plan: _Plan) -> list[Block]:
    """The plan's own heading, where its weeks have names and so do not carry it."""
    if plan.section.heading and all(entry.title for entry in plan.entries):
        return [Paragraph(plan.section.heading, plan.section.line)]
    return []
