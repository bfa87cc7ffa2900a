"""What would make one mail wrong for its readers: HTML, links, pictures, headings, misplaced tags."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from markdown_it.tree import SyntaxTreeNode

from mailer.content.expressions import TagKind, is_bare, is_url_safe
from mailer.content.html_check import HtmlBalance
from mailer.content.markdown import FENCED, Block, BlockKind, Findings, line_of, scheme_of
from mailer.content.media import CONTENT_TYPES, MEDIA_FOLDER
from mailer.content.mjml_check import attributes_in, check_fragment, own_texts
from mailer.content.placeholders import Placeholders

SCHEMES = frozenset({"http", "https", "mailto", "tel", "sms"})
FILLED_BY_US = (BlockKind.BUTTON, BlockKind.SUMMARY)
"""Blocks without a text of the author's inside."""
SAID_ALOUD = frozenset({"alt", "title"})
"""Attributes that are text for readers."""
URL_VARIABLES = frozenset(
    {
        *("links.view", "links.manage", "links.pace", "links.unsubscribe", "links.confirm", "base_url"),
        *("links.check_in", "links.progress"),
    }
)


def lint_blocks(
    blocks: list[Block], placeholders: Placeholders, media: Mapping[str, str], findings: Findings
) -> None:
    """Adds to `findings` everything wrong with a mail's blocks."""
    _lint_titles(blocks, findings)
    html = HtmlBalance(findings)
    for block in blocks:
        _lint_shape(block, findings)
        if block.kind is BlockKind.MJML:
            _lint_mjml(block, placeholders, media, findings)
        if block.target:
            _lint_address(block.target, block.line, placeholders, findings)
        for node in _all_nodes(block):
            line = line_of(node)
            if node.type == "html_block":
                html.feed_at(node.content, line, is_block=True)
            elif node.type == "inline":
                _lint_inline_html(node, html)
            elif node.type == "link":
                _lint_address(str(node.attrs.get("href", "")), line, placeholders, findings)
            elif node.type == "image":
                _lint_image(node, line, placeholders, media, findings)
            _lint_control_tags(node, line, placeholders, findings)
    html.finish()


def _all_nodes(block: Block) -> Iterable[SyntaxTreeNode]:
    roots = (*block.nodes, *([block.heading] if block.heading else []))
    for root in roots:
        yield from root.walk()


def _lint_titles(blocks: list[Block], findings: Findings) -> None:
    titles = [node for block in blocks for node in _all_nodes(block) if _is_title(node)]
    if not titles:
        findings.add(0, "The mail has no title.", "Begin it with a line `# Title`.")
    for extra in titles[1:]:
        what = "The mail has a second title of the first level."
        findings.add(line_of(extra), what, "A mail has one `# Title`; write `## ` here.")


def _is_title(node: SyntaxTreeNode) -> bool:
    return node.type == "heading" and node.tag == "h1"


def _lint_shape(block: Block, findings: Findings) -> None:
    """Whether a fenced block holds what it is for."""
    heading = block.heading.content if block.heading else ""
    if block.kind is BlockKind.CHECKLIST and [node.type for node in block.nodes] != ["bullet_list"]:
        findings.add(
            block.line, "A checklist holds something other than one list.", "Write its points as `- ` lines."
        )
    elif block.kind is BlockKind.QUESTION and not heading:
        findings.add(block.line, "The question is missing.", "Write it behind `::: question`.")
    elif block.kind is BlockKind.BUTTON:
        if not block.target or not heading:
            what = "The button lacks its address or its label."
            findings.add(block.line, what, "Write `::: button https://… Label`.")
        if block.nodes:
            findings.add(block.line, "A button has no text inside.", "Write the label on its first line.")
    elif block.kind in FENCED and block.kind is not BlockKind.QUESTION and heading:
        what = f"`::: {block.kind}` has text behind its name, which would be lost."
        findings.add(block.line, what, "Move the text below this line.")
    if block.kind is BlockKind.SUMMARY and block.nodes:
        findings.add(block.line, "A summary has no text inside.", "Move the text above or below it.")
    if block.kind in FENCED and block.kind not in FILLED_BY_US and not block.nodes:
        findings.add(block.line, f"The block `::: {block.kind}` is empty.", "Write its text or delete it.")


def _lint_address(address: str, line: int, placeholders: Placeholders, findings: Findings) -> None:
    """Addresses must be whole, of a harmless kind, and safe whatever a reader's fields hold."""
    tags = placeholders.tags_in(address)
    if any(tag.kind is TagKind.CONTROL for tag in tags):
        findings.add(line, "A link's address has an if in it.", "Put the if around the whole link.")
        return
    start = placeholders.pattern.match(address)
    if start:
        if not is_bare(tags[0], URL_VARIABLES):
            what = f"A link begins with `{tags[0].source}`, which is not an address of ours."
            findings.add(line, what, "Begin it with https:// or one of the links variables, and no more.")
        elif address[start.end() :][:1] not in {"", "/", "?", "#"}:
            # Else `{{ base_url }}.example.net` or `{{ base_url }}@example.net` would be someone else's.
            what = f"Behind `{tags[0].source}` a link's address goes on without a slash."
            findings.add(line, what, "Write /, ? or # behind the variable.")
        tags = tags[1:]
    elif not address:
        findings.add(line, "A link has no address.", "Write it as [text](https://…).")
    elif scheme_of(address) not in SCHEMES:
        what = f"The link to `{placeholders.shown(address)}` does not work in a mail."
        findings.add(line, what, "Write the whole address, beginning with https:// (or mailto:, tel:).")
    for tag in tags:
        if not is_url_safe(tag):
            what = f"`{tag.source}` stands inside a link's address as it is."
            findings.add(line, what, f"Write {{{{ {tag.inside} | urlencode }}}}.")


def _lint_image(
    node: SyntaxTreeNode, line: int, placeholders: Placeholders, media: Mapping[str, str], findings: Findings
) -> None:
    source = str(node.attrs.get("src", ""))
    if not node.content.strip():
        what = f"The picture {placeholders.shown(source)} has no alternative text."
        findings.add(line, what, "Say between the brackets what it shows: ![…](…).")
    _lint_picture(source, line, placeholders, media, findings)


def _lint_picture(
    source: str, line: int, placeholders: Placeholders, media: Mapping[str, str], findings: Findings
) -> None:
    """A picture must be a file beside the text: from elsewhere it would tell others who reads what."""
    shown = placeholders.shown(source)
    if not source.startswith(f"{MEDIA_FOLDER}/") or placeholders.tags_in(source):
        what = f"The picture {shown} is not one of the media folder."
        findings.add(line, what, "Put the file into media/ and name it media/….")
    elif source not in media:
        kinds = ", ".join(sorted(CONTENT_TYPES))
        findings.add(
            line, f"There is no picture {shown} ({kinds}).", "Put a real picture there or mend its name."
        )


def _lint_mjml(
    block: Block, placeholders: Placeholders, media: Mapping[str, str], findings: Findings
) -> None:
    """The same care for an author's own MJML: its first line is the one after the fence."""
    first = block.line + 1
    check_fragment(block.source, lambda line, what, fix: findings.add(first + line, what, fix))
    lint_mjml_tags(block.source, first, placeholders, media, findings)


def lint_mjml_tags(
    source: str, first: int, placeholders: Placeholders, media: Mapping[str, str], findings: Findings
) -> None:
    """Addresses, pictures and tags of some MJML whose first line is `first`."""
    for line, name, value in attributes_in(source):
        if name == "href":
            _lint_address(value, first + line, placeholders, findings)
        elif name == "src":
            _lint_picture(value, first + line, placeholders, media, findings)
        elif any(tag.kind is TagKind.CONTROL for tag in placeholders.tags_in(value)):
            what = f"The attribute `{name}` has an if in it."
            findings.add(first + line, what, "Put the if around the text of one component.")
        elif placeholders.tags_in(value) and name not in SAID_ALOUD:
            # What it says could be a style with an address in it, which nobody has looked at.
            what = f"The attribute `{name}` has a variable in it."
            findings.add(first + line, what, "Write its value out; variables go into texts and links.")
    for line, text in own_texts(source):
        lint_control_balance(text, first + line, placeholders, findings)


def _lint_control_tags(
    node: SyntaxTreeNode, line: int, placeholders: Placeholders, findings: Findings
) -> None:
    """An if must open and close in the same piece of text, or some readers would get broken HTML."""
    own = "\n".join(child.content for child in node.children if child.type in {"text", "code_inline"})
    if node.type in {"fence", "code_block"}:
        own = node.content
    lint_control_balance(own, line, placeholders, findings)


def lint_control_balance(text: str, line: int, placeholders: Placeholders, findings: Findings) -> None:
    """Adds to `findings` each if, else or endif of `text` that has no partner in it."""
    open_tags: list[str] = []
    after_else: list[bool] = []
    for tag in placeholders.tags_in(text):
        if tag.kind is not TagKind.CONTROL:
            continue
        if tag.word == "if":
            open_tags.append(tag.source)
            after_else.append(False)
        elif not open_tags:
            what = f"`{tag.source}` has no `{{% if … %}}` in the same paragraph."
            findings.add(line, what, "Open and close each if within one paragraph.")
        elif tag.word == "endif":
            open_tags.pop()
            after_else.pop()
        elif after_else[-1]:
            findings.add(line, f"`{tag.source}` comes after the else.", "Write one else, as the last branch.")
        else:
            after_else[-1] = tag.word == "else"
    for source in open_tags:
        what = f"`{source}` is not closed in the same paragraph, at the same level of emphasis."
        findings.add(line, what, "Write {% endif %} before the paragraph, list item or heading ends.")


def _lint_inline_html(inline: SyntaxTreeNode, balance: HtmlBalance) -> None:
    """The HTML tags of one paragraph, each with its line: markdown-it counts only the paragraph's."""
    line = line_of(inline)
    for node in inline.walk():
        if node.type in {"softbreak", "hardbreak"}:
            line += 1
        elif node.type == "html_inline":
            balance.feed_at(node.content, line, is_block=False, depth=len(_ancestors(node)))
            line += node.content.count("\n")
    balance.end_paragraph()


def _ancestors(node: SyntaxTreeNode) -> list[SyntaxTreeNode]:
    found = []
    while node.parent is not None:
        node = node.parent
        found.append(node)
    return found
