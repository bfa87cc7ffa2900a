"""Carries Jinja2 tags unharmed through Markdown, MJML and the CSS inliner as plain words."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from functools import lru_cache

from mailer.content.expressions import Fault, Tag, TagKind, faults_of, find_tags
from mailer.content.text_layout import columns_of
from mailer.content.variables import CANNOT_RENDER, Where, author_environment, sample_context


class Placeholders:
    """The tags of one mail. Take them out before Markdown, put them back at the very end.

    A placeholder is a word of small letters and digits, so no parser on the way changes it, with a
    fingerprint of the mail's `sources` in it, so that nothing in them can be taken for one.
    """

    def __init__(self, *sources: str) -> None:
        self._prefix = "zp" + hashlib.sha256("\0".join(sources).encode()).hexdigest()[:8]
        self.pattern = re.compile(rf"{self._prefix}(\d{{4}})z")
        self._tags: list[Tag] = []

    def keep(self, tag: Tag) -> str:
        """The word that stands for `tag` from now on."""
        if tag in self._tags:
            return f"{self._prefix}{self._tags.index(tag):04d}z"
        self._tags.append(tag)
        return f"{self._prefix}{len(self._tags) - 1:04d}z"

    def expression(self, path: str) -> str:
        """The word for `{{ path }}`: for our own layouts, whose variables need no check."""
        return self.keep(Tag(TagKind.EXPRESSION, f"{{{{ {path} }}}}", 0))

    def take_out(
        self, text: str, on_fault: Callable[[int, str, str], None], where: Where = Where.COURSE_MAILS
    ) -> str:
        """`text` with words in place of its tags; comments go. Faults are told with their line, from 0.

        `where` is the kind of mail it is for.
        """
        pieces, position = [], 0
        for found in find_tags(text):
            line = text.count("\n", 0, found.start)
            if isinstance(found, Fault):
                on_fault(line, found.what, found.fix)
                continue
            for fault in faults_of(found, where):
                on_fault(line, fault.what, fault.fix)
            pieces.append(text[position : found.start])
            if found.kind is not TagKind.COMMENT:
                pieces.append(self.keep(found))
            position = found.end
        return "".join([*pieces, text[position:]])

    def tags_in(self, text: str) -> list[Tag]:
        """The tags whose words stand in `text`, in their order."""
        return [self._tags[int(match[1])] for match in self.pattern.finditer(text)]

    def is_control(self, text: str) -> bool:
        """Whether `text` is nothing but ifs and their ends."""
        tags = self.tags_in(text)
        is_bare = bool(tags) and not self.pattern.sub("", text).strip()
        return is_bare and all(tag.kind is TagKind.CONTROL for tag in tags)

    def put_back(self, text: str) -> str:
        """`text` as a Jinja2 template: tags again for words, other braces escaped."""
        # Also a brace right before a word, or `{` and `{{ name }}` would read as `{{` and `{ name`.
        text = re.sub(rf"\{{(?=[{{%#]|{self.pattern.pattern})", '{{ "{" }}', text)
        return self.shown(text)

    def shown(self, text: str) -> str:
        """`text` as its author wrote it, for messages."""
        return self.pattern.sub(lambda match: self._tags[int(match[1])].source, text)

    def columns_of(self, text: str) -> int:
        """How wide `text` is likely to be for a reader, who sees values in place of the words."""
        return columns_of(self.pattern.sub(lambda match: self._sample(self._tags[int(match[1])]), text))

    @staticmethod
    @lru_cache(maxsize=512)
    def _sample(tag: Tag) -> str:
        if tag.kind is not TagKind.EXPRESSION:
            return ""
        try:
            return author_environment(autoescape=False).from_string(tag.source).render(sample_context())
        except CANNOT_RENDER:
            return ""
