"""An MJML document as the visual editor has it: a tree of components, and back again without a change.

Markup that our compiler would refuse never gets into the tree, so nothing of it gets into a browser: not from
another author's file either. Tags ({{ … }}) stay as they were written.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape, unescape
from typing import Any

from lxml import etree

from mailer.content.expressions import Fault, TagKind, find_tags
from mailer.content.lint import SCHEMES
from mailer.content.markdown import scheme_of
from mailer.content.mjml_check import (
    ADDRESSES,
    COMPONENTS,
    HOLDS_HTML,
    OnFault,
    check_instructions,
    check_markup,
    in_our_words,
    parse_fragment,
)
from mailer.content.mjml_document import INSIDE, STRUCTURE, check_inside
from mailer.content.placeholders import Placeholders
from mailer.errors import Refused

Tree = dict[str, Any]
"""`tag`, `attributes`, and `children`, or the HTML in it as `content` in what says something."""

TAG = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}")
COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
EMPTY = re.compile(r"<(?!br\b|hr\b|img\b)(\w+)([^<>]*)/>")
DEEPEST = 8
"""How far elements lie within each other at most: mjml, body, wrapper, section, group, column, component."""
CANNOT_READ = "What the visual editor sent cannot be read, so nothing was kept; load the page again."


@dataclass(frozen=True)
class Design:
    """A document for the visual editor. `comments` is how many of them would be lost there.

    `tree` is None while something stands in the text that the editor is not given; `problems` tells each
    (line from 0, what, fix).
    """

    tree: Tree | None
    comments: int
    problems: tuple[tuple[int, str, str], ...] = ()


def design_of(source: str) -> Design:
    """The document in `source`, with whatever may stand in one; what is merely missing is no problem here."""
    problems: list[tuple[int, str, str]] = []

    def tell(line: int, what: str, fix: str) -> None:
        problems.append((line, placeholders.shown(what), fix))

    placeholders = Placeholders(source)
    taken = _taken_out(source, placeholders, tell)
    root, faults = parse_fragment(taken)
    for line, message in faults:
        tell(*in_our_words(line, message))
    if [child.tag for child in root] != ["mjml"] or [child.tag for child in root[0]] != ["mj-body"]:
        tell(
            0, "It is not one <mjml> with one <mj-body> in it.", "Write <mjml><mj-body> … </mj-body></mjml>."
        )
        return Design(None, 0, tuple(problems))
    comments = len(COMMENT.findall(taken)) + _without_comments(root, placeholders)
    _check(root, placeholders, tell)
    tree = None if problems else _tree(root[0], placeholders)
    return Design(tree, comments, tuple(problems))


def _taken_out(source: str, placeholders: Placeholders, on_fault: OnFault) -> str:
    """`source` with a word for each tag, comments too."""
    pieces, position = [], 0
    for found in find_tags(source):
        if isinstance(found, Fault):
            on_fault(source.count("\n", 0, found.start), found.what, found.fix)
            continue
        pieces += [source[position : found.start], placeholders.keep(found)]
        position = found.end
    return "".join([*pieces, source[position:]])


def _without_comments(root: etree._Element, placeholders: Placeholders) -> int:
    """Takes Jinja2's comments out that stand between components, where the editor has no place for them."""

    def outside(text: str | None) -> tuple[str, int]:
        tags = placeholders.tags_in(text or "")
        if not tags or any(tag.kind is not TagKind.COMMENT for tag in tags):
            return text or "", 0
        return placeholders.pattern.sub("", text or ""), len(tags)

    lost = 0
    for element in root.iter(*STRUCTURE):
        element.text, count = outside(element.text)
        lost += count
        for child in element:
            child.tail, count = outside(child.tail)
            lost += count
    return lost


def _check(root: etree._Element, placeholders: Placeholders, on_fault: OnFault) -> None:
    check_instructions(root, on_fault)
    for element in root.iter(etree.Element):
        line = (element.sourceline or 1) - 1
        for name in ADDRESSES & set(element.attrib):
            address = str(element.get(name))
            # An address that begins with a variable is one of ours, or found by the check.
            is_known = scheme_of(address) in SCHEMES | {""} or placeholders.pattern.match(address)
            if not is_known:
                what = f"The address `{address}` does not work in a mail."
                on_fault(line, what, "Write the whole address, beginning with https:// (or mailto:, tel:).")
    check_inside(root[0], on_fault, check_markup)


def _tree(element: etree._Element, placeholders: Placeholders) -> Tree:
    tag = str(element.tag)
    attributes = {str(name): placeholders.shown(str(value)) for name, value in element.attrib.items()}
    if tag in HOLDS_HTML:
        return {"tag": tag, "attributes": attributes, "content": _content(element, placeholders)}
    if tag not in INSIDE:
        return {"tag": tag, "attributes": attributes}
    children = [_tree(child, placeholders) for child in element]
    return {"tag": tag, "attributes": attributes, "children": children}


def _content(element: etree._Element, placeholders: Placeholders) -> str:
    """The HTML in a component as a browser reads it: tags escaped, no element closed by its own slash."""
    inside = escape(element.text or "", quote=False)
    inside += "".join(etree.tostring(child, encoding="unicode") for child in element)
    inside = EMPTY.sub(r"<\1\2></\1>", inside)
    return placeholders.pattern.sub(lambda match: escape(placeholders.shown(match[0])), inside)


def read_tree(text: str) -> Tree:
    """What a browser sent; raises Refused for what is no tree."""
    try:
        tree = json.loads(text)
    except (ValueError, RecursionError):
        raise Refused(CANNOT_READ) from None
    if not isinstance(tree, dict) or tree.get("tag") != "mjml":
        raise Refused(CANNOT_READ)
    return tree


def document_of(tree: Tree) -> str:
    """The MJML of a tree, an element a line. What an element cannot have is left out; raises Refused."""
    return "\n".join(_lines(tree, 0)) + "\n"


def _lines(node: Mapping[str, Any], depth: int) -> list[str]:
    tag, attributes = node.get("tag"), node.get("attributes")
    known = STRUCTURE.get(str(tag)) or COMPONENTS.get(str(tag))
    if known is None or not isinstance(attributes, dict) or depth > DEEPEST:
        raise Refused(CANNOT_READ)
    indent = "  " * depth
    opening = f"{indent}<{tag}{_attributes(attributes, known)}"
    if tag in HOLDS_HTML:
        return [f"{opening}>{_as_written(str(node.get('content', '')))}</{tag}>"]
    if tag not in INSIDE:
        return [f"{opening} />"]
    children = node.get("children")
    if not isinstance(children, list) or not all(isinstance(child, dict) for child in children):
        raise Refused(CANNOT_READ)
    lines = [line for child in children for line in _lines(child, depth + 1)]
    return [f"{opening}>", *lines, f"{indent}</{tag}>"]


def _attributes(attributes: Mapping[str, Any], known: frozenset[str]) -> str:
    said = {
        name: str(value) for name, value in attributes.items() if name in known and value not in ("", None)
    }
    return "".join(f' {name}="{_escaped(value)}"' for name, value in said.items())


def _escaped(value: str) -> str:
    """An attribute's value as XML between double quotes; tags in it stay as they are."""
    pieces, position = [], 0
    for match in TAG.finditer(value):
        pieces += [_quoted(value[position : match.start()]), match[0]]
        position = match.end()
    return "".join([*pieces, _quoted(value[position:])])


def _quoted(words: str) -> str:
    return escape(words, quote=False).replace('"', "&quot;")


def _as_written(content: str) -> str:
    """A component's HTML with its tags as an author writes them; spaces that do not break can be seen."""
    written = TAG.sub(lambda match: unescape(match[0]).replace("\xa0", " "), content)
    return written.replace("\xa0", "&nbsp;")
