"""The HTML in an author's Markdown: a few inline tags are taken, the rest is named with its line."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from mailer.content.markdown import FENCED, Findings

INLINE_HTML = frozenset({"b", "br", "em", "i", "s", "small", "strong", "sub", "sup", "u"})
"""The HTML that may stand in a paragraph, without attributes."""

EMPTY_HTML = frozenset({"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "wbr"})
INSTEAD = "Write it in Markdown or with a block (" + ", ".join(FENCED) + ")."


class HtmlBalance(HTMLParser):
    """Reads a mail's HTML tags in order; names those not on offer and those never closed."""

    def __init__(self, findings: Findings) -> None:
        super().__init__(convert_charrefs=True)
        self.findings = findings
        self.line = 0
        self.depth = 0
        self.is_block = False
        self.open_tags: list[tuple[str, int, int, bool]] = []

    def feed_at(self, html: str, line: int, *, is_block: bool, depth: int = 0) -> None:
        """Reads `html`, whose first line is `line`; `depth` tells emphasis or links around it apart."""
        if html.startswith("<!--"):
            self._comment(html, line)
            return
        if html.startswith(("<!", "<?")):
            self._refuse(re.split(r"[\s>]", html[1:])[0], line)
            return
        self.reset()
        self.line, self.is_block, self.depth = line, is_block, depth
        self.feed(html)
        self.close()

    def _comment(self, html: str, line: int) -> None:
        """A note of the author's is left out of the mail; nothing else may go with it."""
        before, end, after = html.partition("-->")
        if not end:
            self.findings.add(line, "`<!--` is opened and never closed.", "Write `-->` behind the comment.")
        elif after.strip():
            what = "Text on a comment's last line would be left out with it."
            self.findings.add(line + before.count("\n"), what, "Move the text to the next line.")

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        line = self.line + self.getpos()[0] - 1
        is_offered = tag in INLINE_HTML and not self.is_block
        if is_offered and attrs:
            names = ", ".join(name for name, _ in attrs)
            self.findings.add(line, f"`<{tag}>` has attributes ({names}).", f"Write `<{tag}>` alone.")
        if tag not in EMPTY_HTML:
            self.open_tags.append((tag, line, self.depth, is_offered))
        elif not is_offered:
            self._refuse(tag, line)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in EMPTY_HTML:
            what = f"`<{tag}/>` is opened and closed at once, which HTML does not know."
            self.findings.add(self.line, what, f"Write `<{tag}>…</{tag}>`.")
            self.open_tags.pop()

    def handle_endtag(self, tag: str) -> None:
        line = self.line + self.getpos()[0] - 1
        for index in reversed(range(len(self.open_tags))):
            name, opened, depth, is_offered = self.open_tags[index]
            if name != tag:
                continue
            self._unclosed(self.open_tags[index + 1 :])
            del self.open_tags[index:]
            if not is_offered:
                self._refuse(tag, opened)
            elif depth != self.depth:
                what = f"`<{tag}>` and its end overlap with emphasis or a link."
                self.findings.add(opened, what, "Open and close it at the same level.")
            return
        self.findings.add(line, f"`</{tag}>` closes nothing.", "Delete it, or open the tag before.")

    def end_paragraph(self) -> None:
        """Tags on offer do not reach over a paragraph's end."""
        late = [each for each in self.open_tags if each[3]]
        self._unclosed(late)
        self.open_tags = [each for each in self.open_tags if not each[3]]

    def finish(self) -> None:
        self._unclosed(self.open_tags)
        self.open_tags = []

    def _unclosed(self, tags: list[tuple[str, int, int, bool]]) -> None:
        for tag, line, _, is_offered in tags:
            what = f"`<{tag}>` is opened and never closed."
            self.findings.add(line, what, f"Write `</{tag}>`." if is_offered else INSTEAD)

    def _refuse(self, tag: str, line: int) -> None:
        if any(not is_offered for *_, is_offered in self.open_tags):
            return  # what stands around it is named already
        if tag.startswith(("mj-", "mjml")):
            self.findings.add(line, f"`<{tag}>` stands in the text.", "Put MJML into a ```mjml block.")
        else:
            self.findings.add(line, f"`<{tag}>` is HTML that mails do not take.", INSTEAD)
