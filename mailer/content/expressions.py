"""Jinja2 tags in an author's text: found with Jinja2's own lexer, checked against what is on offer."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from jinja2 import TemplateSyntaxError, nodes

from mailer.content.variables import (
    CANNOT_RENDER,
    CUSTOM_FIELDS,
    FILTERS,
    TESTS,
    Where,
    author_environment,
    offered,
    sample_context,
)

ENVIRONMENT = author_environment(autoescape=True)
OPENINGS = re.compile(r"\{\{|\{%|\{#")
CLOSING = {"{{": "}}", "{%": "%}", "{#": "#}"}
LONGEST_SHOWN = 200
LONGEST_TAG = 1_000
"""Characters; a longer expression is not something a person wrote for readers. Comments may be longer."""
MOST_CLOSINGS = 10
"""How many `}}` may stand within one tag: each is asked about, and many would take hours."""
CONTROL_WORDS = ("if", "elif", "else", "endif")


class TagKind(StrEnum):
    EXPRESSION = "expression"
    CONTROL = "control"
    COMMENT = "comment"


@dataclass(frozen=True)
class Tag:
    """One `{{ … }}`, `{% … %}` or `{# … #}`; `word` is the control tag's first word, such as if."""

    kind: TagKind
    source: str
    start: int
    word: str = ""

    @property
    def end(self) -> int:
        return self.start + len(self.source)

    @property
    def inside(self) -> str:
        """What stands between the braces."""
        return self.source[2:-2].removeprefix("-").removeprefix("+").removesuffix("-").strip()


@dataclass(frozen=True)
class Fault:
    """What is wrong at `start`, and how to mend it; the caller knows file and line."""

    start: int
    what: str
    fix: str


def find_tags(text: str) -> Iterator[Tag | Fault]:
    """Every tag of `text` in its order; an opening without its closing on the same line is a Fault."""
    position = 0
    while match := OPENINGS.search(text, position):
        tag = _tag_at(text, match.start())
        if tag is None:
            opening, closing = match[0], CLOSING[match[0]]
            yield Fault(
                match.start(),
                f"`{opening}` is opened and not closed on its line, or cannot be read.",
                f"Close it with `{closing}` within {LONGEST_TAG} characters, "
                f'or write {{{{ "{opening}" }}}} when you mean the characters.',
            )
            position = match.end()
        else:
            yield tag
            position = tag.end


def _tag_at(text: str, start: int) -> Tag | None:
    """The tag that opens at `start`: its end is the first at which Jinja2's lexer agrees."""
    opening = text[start : start + 2]
    line_end = text.find("\n", start)
    line_end = len(text) if line_end < 0 else line_end
    if opening != "{#":
        line_end = min(line_end, start + LONGEST_TAG)
    end = start + 2
    for _ in range(MOST_CLOSINGS):
        end = text.find(CLOSING[opening], end, line_end) + 2
        if end < start + 4:
            return None
        source = text[start:end]
        try:
            tokens = [kind for _, kind, _ in ENVIRONMENT.lex(source)]
        except TemplateSyntaxError:
            continue
        if tokens and tokens[-1] in {"variable_end", "block_end", "comment_end"}:
            kind = {"{{": TagKind.EXPRESSION, "{%": TagKind.CONTROL, "{#": TagKind.COMMENT}[opening]
            tag = Tag(kind, source, start)
            word = re.match(r"\w*", tag.inside)
            return Tag(kind, source, start, word[0] if word and kind is TagKind.CONTROL else "")
    return None


def faults_of(tag: Tag, where: Where) -> Iterator[Fault]:
    """What is wrong with one tag: its syntax, its variables, filters and tests, and what it works out."""
    if tag.kind is TagKind.COMMENT:
        return
    if tag.kind is TagKind.CONTROL:
        if tag.word not in CONTROL_WORDS:
            what = f"`{{% {tag.word} %}}` is not on offer in a mail."
            yield Fault(tag.start, what, "Only if, elif, else and endif are.")
            return
        if tag.word in {"else", "endif"}:
            return
    for what, fix in _faults_in(_as_template(tag), _shortened(tag.source), where):
        yield Fault(tag.start, what, fix)


def names_in(tag: Tag) -> frozenset[str]:
    """The first words of the variables that a tag names; none when it cannot be read."""
    try:
        tree = ENVIRONMENT.parse(_as_template(tag))
    except (TemplateSyntaxError, RecursionError, ValueError):
        return frozenset()
    return frozenset(node.name for node in tree.find_all(nodes.Name))


def faults_beside(tag: Tag, paths: tuple[str, ...]) -> Iterator[Fault]:
    """What is wrong with one tag where the variables are these `paths`, and not those of mails."""
    try:
        faults = list(_Checker(paths).visit(ENVIRONMENT.parse(_as_template(tag))))
    except (TemplateSyntaxError, RecursionError, ValueError) as error:
        faults = [(f"`{_shortened(tag.source)}` cannot be read ({error}).", "Mend the expression.")]
    yield from (Fault(tag.start, what, fix) for what, fix in faults)


def _as_template(tag: Tag) -> str:
    """A tag as a template of its own."""
    if tag.kind is not TagKind.CONTROL:
        return tag.source
    return f"{{% if {tag.inside.removeprefix(tag.word)} %}}{{% endif %}}"


def _faults_in(source: str, shown: str, where: Where) -> list[tuple[str, str]]:
    """(what, fix) for a template of one tag; when nothing else is wrong, it is tried on the sample values."""
    try:
        faults = list(_Checker(offered(where)).visit(ENVIRONMENT.parse(source)))
    except TemplateSyntaxError as error:
        return [(f"`{shown}` cannot be read ({error.message}).", "Mend the expression.")]
    except (RecursionError, ValueError) as error:
        return [(f"`{shown}` cannot be read ({error}).", "Write it shorter and less nested.")]
    if faults:
        return faults
    try:
        ENVIRONMENT.from_string(source).render(sample_context())
    except CANNOT_RENDER as error:
        what = f"`{shown}` cannot be worked out ({error or type(error).__name__})."
        return [(what, "Mend the expression.")]
    return []


def _shortened(source: str) -> str:
    """`source` as a message can show it: the beginning of a very long one."""
    return source if len(source) <= LONGEST_SHOWN else f"{source[:LONGEST_SHOWN]}…"


class _Checker:
    """Walks an expression's tree; only variables, literals, comparisons, filters and tests pass."""

    REFUSED = (nodes.Call, nodes.Slice, nodes.Mul, nodes.Pow, nodes.Mod)

    def __init__(self, paths: tuple[str, ...]) -> None:
        self.paths = paths

    def visit(self, node: nodes.Node, *, has_default: bool = False) -> Iterator[tuple[str, str]]:
        """(what, fix) for `node` and everything below it."""
        if isinstance(node, (nodes.Name, nodes.Getattr, nodes.Getitem)):
            yield from self._variable(node, has_default=has_default)
            return
        if isinstance(node, self.REFUSED):
            yield "An expression calls a function, slices or multiplies.", "Use a variable and filters only."
            return
        if isinstance(node, nodes.Filter) and node.name not in FILTERS:
            yield f"There is no filter `{node.name}`.", _suggestion(node.name, FILTERS, "The filters are")
        if isinstance(node, nodes.Test) and node.name not in TESTS:
            yield f"There is no test `{node.name}`.", _suggestion(node.name, TESTS, "The tests are")
        copes = (isinstance(node, nodes.Filter) and node.name in {"default", "d"}) or (
            isinstance(node, nodes.Test) and node.name in {"defined", "undefined"}
        )
        # A default() copes with what is right before it, not with its own arguments.
        subject = getattr(node, "node", None) if copes else None
        for child in node.iter_child_nodes():
            yield from self.visit(child, has_default=child is subject)

    def _variable(self, node: nodes.Node, *, has_default: bool) -> Iterator[tuple[str, str]]:
        path = _path(node)
        if path is None:
            yield "An expression looks something up by a value.", "Write the name itself, as in fields.age."
        elif path.startswith(f"{CUSTOM_FIELDS}.") and path.count(".") == 1:
            if not has_default:
                yield (
                    f"`{path}` has no default, and not every reader has this field.",
                    f'Write {{{{ {path} | default("…") }}}}.',
                )
        elif path not in self.paths:
            yield f"There is no variable `{path}`.", _suggestion(path, self.paths, "The variables are")


def _path(node: nodes.Node) -> str | None:
    """ "course.title" for `course.title` and `course["title"]`; None for anything worked out."""
    if isinstance(node, nodes.Name):
        return node.name
    if isinstance(node, nodes.Getattr):
        head = _path(node.node)
        return None if head is None else f"{head}.{node.attr}"
    if (
        isinstance(node, nodes.Getitem)
        and isinstance(node.arg, nodes.Const)
        and isinstance(node.arg.value, str)
    ):
        head = _path(node.node)
        return None if head is None else f"{head}.{node.arg.value}"
    return None


def _suggestion(name: str, known: object, lead: str) -> str:
    names = sorted(str(each) for each in known) if hasattr(known, "__iter__") else []
    close = difflib.get_close_matches(name, names, n=1)
    listed = f"{lead} {', '.join(names)}"
    if lead == "The variables are":
        listed += f' and {CUSTOM_FIELDS}.<name> | default("…")'
    return f"Did you mean `{close[0]}`?" if close else f"{listed}."


def is_bare(tag: Tag, paths: frozenset[str]) -> bool:
    """Whether the tag is one of the variables `paths` and nothing else: no filter, text or condition."""
    try:
        return _path(_expression_of(tag)) in paths
    except RecursionError:
        return False


def is_url_safe(tag: Tag) -> bool:
    """Whether the expression's last act is urlencode, so that it may stand inside a link's address."""
    last = _expression_of(tag)
    return isinstance(last, nodes.Filter) and last.name == "urlencode"


def _expression_of(tag: Tag) -> nodes.Node:
    """What stands between {{ and }}; an empty node when it cannot be read, which is told elsewhere."""
    try:
        output = ENVIRONMENT.parse(tag.source).body[0]
    except (TemplateSyntaxError, RecursionError, ValueError, IndexError):
        return nodes.Output([])
    return output.nodes[0] if isinstance(output, nodes.Output) and output.nodes else output
