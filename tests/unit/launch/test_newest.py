"""What was compiled last is not compiled again, and never taken for something else."""

from __future__ import annotations

from pathlib import Path

from mailer.content.campaign_file import read_campaign
from mailer.content.compile import CompiledMessage
from mailer.content.course_source import Problem
from mailer.content.newest import Newest
from mailer.launch.campaign_variants import compile_one


def test_the_newest_are_kept_and_each_is_made_once() -> None:
    kept: Newest[str, int] = Newest(2)
    made: list[str] = []

    def make(word: str) -> int:
        made.append(word)
        return len(word)

    def ask(word: str) -> int:
        return kept.get(word, lambda: make(word))

    for word in ("one", "three", "one", "eleven", "one", "three"):
        assert ask(word) == len(word)
    # "three", asked for longest ago, makes room for "eleven", and is made anew.
    assert made == ["one", "three", "eleven", "three"]


def test_a_mail_is_compiled_anew_when_its_text_its_lines_or_its_pictures_are_others(tmp_path: Path) -> None:
    text = "---\nslug: spring\nsubject: Spring\nlists: [news]\n---\n# Spring\n\n{{ nothing }}\n"
    first, found = _compiled(tmp_path, text.replace("{{ nothing }}", "Open."))
    again, _ = _compiled(tmp_path, text.replace("{{ nothing }}", "Open."))
    assert first is not None
    assert first is again
    assert found == []
    _, wrong = _compiled(tmp_path, text)
    _, lower = _compiled(tmp_path, text.replace("lists:", "\nlists:"))
    assert [one.line for one in wrong] == [8]
    assert [one.line for one in lower] == [9]
    shown = text.replace("{{ nothing }}", "![A lamp](media/lamp.png)")
    assert _compiled(tmp_path, shown)[0] is None
    (tmp_path / "media").mkdir()
    head = b"\x89PNG\r\n\x1a\n" + b"\0" * 8
    (tmp_path / "media" / "lamp.png").write_bytes(head + (40).to_bytes(4, "big") * 2 + b"\0" * 8)
    assert _compiled(tmp_path, shown)[0] is not None


def _compiled(folder: Path, text: str) -> tuple[CompiledMessage | None, list[Problem]]:
    (folder / "spring.md").write_text(text, encoding="utf-8")
    problems: list[Problem] = []
    source = read_campaign(folder / "spring.md", problems, is_translation=False)
    assert source is not None
    message, _pictures = compile_one(source, problems)
    return message, problems
