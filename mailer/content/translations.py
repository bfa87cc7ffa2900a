"""A course's language variants: `03-why.de.md` beside `03-why.md`, and which steps still lack one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from mailer.content.course_source import Problem, StepSource
from mailer.content.course_words import is_language
from mailer.content.step_file import read_translation
from mailer.i18n import locale_of


def language_in(path: Path) -> str | None:
    """The language that a file's name says it is in; None for a step's own file."""
    tag = Path(path.stem).suffix.removeprefix(".")
    return tag if tag and is_language(tag) else None


def with_translations(
    steps: Sequence[StepSource], files: Sequence[Path], language: str, problems: list[Problem]
) -> tuple[StepSource, ...]:
    """The steps with the translations in `files`; `language` is the course's own."""
    by_stem = {step.path.stem: step for step in steps}
    for path in files:
        tag = language_in(path) or ""
        stem = path.stem.removesuffix(f".{tag}")
        translation = read_translation(path, tag, problems)
        wrong = _misplaced(stem, tag, language, by_stem)
        if wrong:
            problems.append(Problem(path.name, 1, *wrong))
        elif translation is not None:
            step = by_stem[stem]
            by_stem[stem] = replace(step, translations=(*step.translations, translation))
    found = tuple(by_stem[step.path.stem] for step in steps)
    problems.extend(_untranslated(found))
    return found


def _misplaced(stem: str, tag: str, language: str, by_stem: dict[str, StepSource]) -> tuple[str, str] | None:
    if stem not in by_stem:
        what = f"There is no step {stem}.md that this translates."
        return what, f"Name it after the step's file, with .{tag}.md at its end, or move it away."
    if tag == language:
        what = f"The course's own language is {language}, so this translates nothing."
        return what, f"Write its text into {stem}.md, or mend the language in one of the two."
    if any(other.language == tag for other in by_stem[stem].translations):
        return f"{stem}.md is translated to {tag} twice.", "Keep one of the two files."
    return None


def _untranslated(steps: Sequence[StepSource]) -> Iterator[Problem]:
    """A warning for each step that lacks a language which other steps have."""
    tags = sorted({translation.language for step in steps for translation in step.translations})
    for tag in tags:
        name = locale_of(tag).get_display_name("en")
        for step in steps:
            if not _is_covered(tag, {translation.language for translation in step.translations}):
                what = f"The step is not translated to {name}, and others are."
                fix = f"Write {step.path.stem}.{tag}.md; until then its readers get the course's own text."
                yield Problem(step.path.name, 1, what, fix, is_warning=True)


def _is_covered(tag: str, known: set[str]) -> bool:
    """Whether readers of `tag` get a text in their language: de-AT is covered by de."""
    parts = tag.split("-")
    return any("-".join(parts[:length]) in known for length in range(len(parts), 0, -1))
