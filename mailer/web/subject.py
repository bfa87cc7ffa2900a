"""Subject lines as they are shown to people who are not the reader they are filled in for."""

from __future__ import annotations

import re

FILLED_IN = re.compile(r"\{\{.*?\}\}", re.DOTALL)
CONTROL = re.compile(r"\{%.*?%\}|\{#.*?#\}", re.DOTALL)
"""What decides which words stand there, and what its author noted: neither is a word of the line."""


def without_tags(subject: str) -> str:
    """A subject line in plain words, with … for what is filled in for each reader, or for each occurrence."""
    return FILLED_IN.sub("…", CONTROL.sub("", subject))
