"""MJML as authors may write it: tags, attributes and the HTML inside, checked line by line.

The compiler itself names no lines, drops attributes it does not know without a word, and lets
<script> through (see docs/architecture.md), so nothing reaches it unchecked.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator, Mapping
from html.entities import html5

from lxml import etree

OnFault = Callable[[int, str, str], None]

_PADDING = ("padding", "padding-top", "padding-right", "padding-bottom", "padding-left")
_BOX = (*_PADDING, "css-class", "container-background-color")
_FONT = (
    *("color", "font-family", "font-size", "font-style", "font-weight"),
    *("letter-spacing", "line-height", "text-decoration", "text-transform"),
)
_BORDER = ("border", "border-top", "border-right", "border-bottom", "border-left", "border-radius")

COMPONENTS: Mapping[str, frozenset[str]] = {
    "mj-text": frozenset({*_BOX, *_FONT, "align", "height"}),
    "mj-button": frozenset(
        {*_BOX, *_FONT, *_BORDER, "align", "background-color", "height", "href", "inner-padding"}
        | {"name", "rel", "target", "text-align", "title", "vertical-align", "width"}
    ),
    "mj-image": frozenset(
        {*_BOX, *_BORDER, "align", "alt", "fluid-on-mobile", "font-size", "height", "href", "max-height"}
        | {"name", "rel", "src", "target", "title", "width"}
    ),
    "mj-divider": frozenset({*_BOX, "align", "border-color", "border-style", "border-width", "width"}),
    "mj-spacer": frozenset({*_BOX, "height"}),
    "mj-table": frozenset(
        {*_BOX, "align", "border", "cellpadding", "cellspacing", "color", "font-family", "font-size"}
        | {"font-style", "line-height", "role", "table-layout", "vertical-align", "width"}
    ),
}
"""The components an author's block may hold, with the attributes of each (MJML 4 documentation).

Not srcset, sizes and usemap: they could show pictures from elsewhere.
"""

HTML = frozenset(
    {"a", "b", "blockquote", "br", "code", "em", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "i", "img", "li"}
    | {"ol", "p", "pre", "s", "small", "span", "strong", "sub", "sup", "table", "tbody", "td", "th", "thead"}
    | {"tr", "u", "ul"}
)
"""The HTML that may stand inside a component."""

HTML_ATTRIBUTES = frozenset(
    {"align", "alt", "aria-hidden", "bgcolor", "border", "cellpadding", "cellspacing", "class", "colspan"}
    | {"dir", "height", "href", "lang", "role", "rowspan", "src", "start", "style", "title", "valign"}
    | {"width"}
)
FETCHES = re.compile(r"(?:url|src|image|image-set)\s*\(|\\", re.IGNORECASE)
"""CSS that fetches something (CSS Images 4, CSS Values 5), or a backslash, which can hide it."""
ADDRESSES = frozenset({"href", "src"})
ROOT = "root"
HOLDS_HTML = frozenset({"mj-text", "mj-button", "mj-table"})


def parse_fragment(source: str) -> tuple[etree._Element, list[tuple[int, str]]]:
    """The components of `source` below one root, and what the XML parser had to mend (line from 0)."""
    parser = etree.XMLParser(recover=True, resolve_entities=False, no_network=True, remove_comments=True)
    root = etree.fromstring(f"<{ROOT}>{_as_xml(source)}</{ROOT}>".encode(), parser)
    faults = [(entry.line - 1, entry.message) for entry in parser.error_log]
    return (etree.Element(ROOT) if root is None else root), faults


def _as_xml(source: str) -> str:
    """`source` without what HTML allows and XML does not: names such as &nbsp;, and <br> left open."""
    source = re.sub(r"<(br|hr|img)\b([^<>]*?)/?>", r"<\1\2/>", source)
    return re.sub(r"&(?!(?:amp|lt|gt|quot|apos);)(\w+;)", lambda match: html5.get(match[1], match[0]), source)


def check_fragment(source: str, on_fault: OnFault) -> None:
    """Tells `on_fault` (line from 0, what, fix) everything wrong with an author's MJML block."""
    root, faults = parse_fragment(source)
    for line, message in faults:
        on_fault(*in_our_words(line, message))
    check_instructions(root, on_fault)
    for element in root:
        if not isinstance(element.tag, str):
            continue
        line = (element.sourceline or 1) - 1
        if element.tag not in COMPONENTS:
            what = f"`<{element.tag}>` cannot stand in an MJML block."
            on_fault(line, what, near(element.tag, COMPONENTS, "Components are"))
            continue
        check_component(element, COMPONENTS[element.tag], on_fault)
    for between in (root.text, *(child.tail for child in root)):
        if between and between.strip():
            line = source.count("\n", 0, max(source.find(between.strip()), 0))
            what = "Text or a control tag stands between MJML components."
            on_fault(line, what, "Put it inside one, such as <mj-text>…</mj-text>.")


def check_instructions(root: etree._Element, on_fault: OnFault) -> None:
    """Tells of instructions to programs, which would be handed on as they are."""
    for instruction in root.iter(etree.ProcessingInstruction):
        what = f"`<?{instruction.target}` begins an instruction to a program."
        on_fault((instruction.sourceline or 1) - 1, what, "Take it out.")


def in_our_words(line: int, message: str) -> tuple[int, str, str]:
    """(line, what, fix) for a message of the XML parser, which counts lines inside the fragment."""
    unclosed = re.search(r"(?:mismatch:|in tag) (\S+) line (\d+)(?: and (\S+))?", message)
    if unclosed and unclosed[1] != ROOT:
        opened = int(unclosed[2]) - 1
        return opened, f"`<{unclosed[1]}>` is opened and never closed.", f"Write `</{unclosed[1]}>`."
    if unclosed and unclosed[3]:
        return line, f"`</{unclosed[3]}>` closes nothing.", "Delete it, or open the tag before."
    what = f"The MJML is not well formed ({message})."
    return line, what, "Quote each attribute, and write &amp; for a lone & and &lt; for a lone <."


def check_attributes(element: etree._Element, known: frozenset[str], on_fault: OnFault) -> None:
    """Tells of attributes that an element does not have, or that fetch something."""
    _check_values(element, on_fault)
    for name in element.attrib:
        if name not in known:
            what = f"`<{element.tag}>` has no attribute `{name}`."
            on_fault((element.sourceline or 1) - 1, what, near(str(name), known, "It has"))


def check_component(element: etree._Element, known: frozenset[str], on_fault: OnFault) -> None:
    """Tells of everything wrong with one component, the HTML inside it as well."""
    line = (element.sourceline or 1) - 1
    check_markup(element, known, on_fault)
    if element.tag == "mj-image" and not element.get("alt", "").strip():
        on_fault(line, "A picture has no alternative text.", 'Write alt="…", saying what it shows.')
    if element.tag == "mj-button" and not element.get("href"):
        on_fault(line, "A button has no address.", 'Write href="https://…".')


def check_markup(element: etree._Element, known: frozenset[str], on_fault: OnFault) -> None:
    """Tells of attributes and HTML that one component may not have; it may yet lack something."""
    check_attributes(element, known, on_fault)
    for child in element.iterdescendants():
        if isinstance(child.tag, str):
            _check_html(child, element.tag, on_fault)


def _check_values(element: etree._Element, on_fault: OnFault) -> None:
    """No attribute may fetch anything; addresses in href and src are looked at one by one elsewhere."""
    for name, value in element.attrib.items():
        if name not in ADDRESSES and FETCHES.search(str(value)):
            what = f"The attribute `{name}` of `<{element.tag}>` holds an address or a backslash."
            on_fault((element.sourceline or 1) - 1, what, "Take it out; pictures go into mj-image or img.")


def _check_html(element: etree._Element, inside: str, on_fault: OnFault) -> None:
    line = (element.sourceline or 1) - 1
    if inside not in HOLDS_HTML or element.tag not in HTML:
        what = f"`<{element.tag}>` cannot stand inside `<{inside}>`."
        on_fault(line, what, "Take it out; inside components only simple HTML may stand.")
        return
    for name in element.attrib:
        if name not in HTML_ATTRIBUTES:
            on_fault(line, f"`<{element.tag}>` has the attribute `{name}`.", "Take it out.")
    _check_values(element, on_fault)


def attributes_in(source: str) -> Iterator[tuple[int, str, str]]:
    """(line from 0, name, value) of every attribute in an MJML block."""
    root, _ = parse_fragment(source)
    for element in root.iterdescendants(tag=etree.Element):
        for name, value in element.attrib.items():
            yield (element.sourceline or 1) - 1, str(name), str(value)


def with_pictures(source: str, picture: Callable[[str], tuple[str, int]]) -> str:
    """An MJML block with each picture's published address in place of media/…."""
    root, _ = parse_fragment(source)
    for element in root.iterdescendants("mj-image", "img"):
        address, width = picture(element.get("src", ""))
        element.set("src", address)
        element.set("width", element.get("width", f"{width}px" if element.tag == "mj-image" else str(width)))
    return "".join(etree.tostring(child, encoding="unicode") for child in root)


def own_texts(source: str) -> Iterator[tuple[int, str]]:
    """(line from 0, text) for the text that stands directly in each element."""
    root, _ = parse_fragment(source)
    for element in root.iterdescendants(tag=etree.Element):
        tails = (child.tail or "" for child in element)
        yield (element.sourceline or 1) - 1, "\n".join([element.text or "", *tails])


def near(name: str, known: Mapping[str, object] | frozenset[str], lead: str) -> str:
    """What to write in place of a name that is not `known`: the one it looks like, or all there are."""
    close = difflib.get_close_matches(name, list(known), n=1)
    return f"Did you mean `{close[0]}`?" if close else f"{lead} {', '.join(sorted(known))}."
