"""A step's other texts: a translation, a variant or a gentler version, begun with the step's own text.

Each is a file as an author would write it by hand, so the folder is the same wherever it was begun.
"""

from __future__ import annotations

from itertools import chain, count

from mailer.content.course_rules import rule_of
from mailer.content.course_source import CourseSource, StepSource
from mailer.content.course_words import is_language
from mailer.content.draft_store import text_files
from mailer.content.file_edit import front_matter
from mailer.errors import Refused
from mailer.models import StepKind

GENTLER, VARIANT = "gently", "instead"
"""What the keys of a gentler version and of a variant end with, until their author gives them another."""

File = tuple[str, str]
"""A file's name and its text."""


def translation_of(course: CourseSource, name: str, language: str) -> File:
    """The step in the file `name` in another language, its words still the original's; raises Refused."""
    step, language = _step(course, name), language.strip()
    if not is_language(language):
        raise Refused(f"{language!r} is no language; write its tag, such as de or pt-BR.")
    if language == course.language:
        raise Refused(f"The course's own language is {language}; its text is {name} itself.")
    if any(one.language == language for one in step.translations):
        raise Refused(f"{name} is translated to {language} already; open that text.")
    # Its kind, day and rule are said in the step's own file and would mean nothing here.
    return f"{step.path.stem}.{language}{step.path.suffix}", _text(_words(step), step)


def variant_of(course: CourseSource, name: str, when: str) -> File:
    """Another text for those of the step's readers who meet the rule `when`; raises Refused."""
    original = _original(course, name)
    wrong: list[str] = []
    rule = rule_of(when, course.slug, lambda what, fix: wrong.append(f"Who gets it {what} {fix}"))
    if wrong:
        raise Refused(wrong[0])
    return _version(course, original, VARIANT, {"instead_of": original.key, "when": rule})


def gentler_of(course: CourseSource, name: str) -> File:
    """A smaller version of a protocol step, for whoever found its week too hard; raises Refused."""
    original = _original(course, name)
    if original.kind is not StepKind.PROTOCOL:
        raise Refused("Only a protocol step has a gentler version: readers answer how its week went.")
    there = next((one for one in course.steps if one.easier_than == original.key), None)
    if there is not None:
        raise Refused(f"{name} has a gentler version already, {there.path.name}; open that text.")
    return _version(course, original, GENTLER, {"easier_than": original.key})


def texts_beside(course: CourseSource, name: str) -> list[StepSource]:
    """The step whose text or translation is in the file `name`, after its original, with all beside that."""
    step = next((one for one in course.steps if name in files_of(one)), None)
    if step is None:
        return []
    key = step.instead_of or step.easier_than or step.key
    beside = [one for one in course.steps if key and key in (one.instead_of, one.easier_than)]
    original = [one for one in course.steps if one.key == key and one.is_plain]
    return [*original, *beside] if step in (*original, *beside) else [step]


def files_of(step: StepSource) -> list[str]:
    """The names of the step's own file and of its translations."""
    return [step.path.name, *(one.path.name for one in step.translations)]


def _version(course: CourseSource, original: StepSource, ending: str, says: dict[str, str]) -> File:
    """A step beside `original`, from which it takes its day, its kind and its hours."""
    keys = {one.key for one in course.steps}
    # Files on the disk are asked too, among them those whose text cannot be read.
    stems = {path.stem for path in text_files(course.folder)}
    for tail in chain([ending], (f"{ending}-{number}" for number in count(2))):
        key, stem = f"{original.key}-{tail}", f"{original.path.stem}-{tail}"
        if key not in keys and stem not in stems:
            break
    return f"{stem}{original.path.suffix}", _text({"key": key, **says, **_words(original)}, original)


def _original(course: CourseSource, name: str) -> StepSource:
    step = _step(course, name)
    if not step.key:
        raise Refused(f"{name} has no key yet; write one, then begin another text of it.")
    if not step.is_plain:
        on = step.instead_of or step.easier_than
        raise Refused(f"{name} stands beside {on} itself; begin the other text there.")
    return step


def _step(course: CourseSource, name: str) -> StepSource:
    step = next((one for one in course.steps if one.path.name == name), None)
    if step is None:
        raise Refused(f"{name} is no step's own text; begin from the step itself.")
    return step


def _words(step: StepSource) -> dict[str, str]:
    return {"subject": step.subject, **({"preheader": step.preheader} if step.preheader else {})}


def _text(matter: dict[str, str], step: StepSource) -> str:
    return f"---\n{front_matter(matter)}---\n{step.body}"
