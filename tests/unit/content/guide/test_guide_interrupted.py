"""A process that dies while it imports leaves the old folder or the new one, never a mix."""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

import pytest

from mailer.content.guide import import_guide
from tests.support.guides.samples import SLEEP

TOUCHES_FILES = ("open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "shutil.copyfile", "ctypes.dlopen")


def contents(folder: Path) -> dict[str, str]:
    return (
        {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()} if folder.exists() else {}
    )


def import_and_die(guide: Path, course: Path, at_touch: int | None) -> int:
    """Imports in a child process that ends at its n-th touch of a file; how often it had touched any."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        touched = 0

        def count(event: str, arguments: tuple[object, ...]) -> None:
            nonlocal touched
            if event in TOUCHES_FILES and str(course.parent) in repr(arguments):
                touched += 1
                if touched == at_touch:
                    os._exit(9)

        sys.addaudithook(count)
        import_guide(guide, course)
        os.write(writing, str(touched).encode())
        os._exit(0)
    os.close(writing)
    os.waitpid(child, 0)
    with os.fdopen(reading) as answer:
        return int(answer.read() or 0)


@pytest.mark.parametrize("has_exchange", [True, False])
def test_whoever_looks_after_a_kill_sees_the_old_course_or_the_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_exchange: bool
) -> None:
    if not has_exchange:
        monkeypatch.setattr(ctypes, "CDLL", _none)
    guide, course = tmp_path / "guide.txt", tmp_path / "course"
    text = SLEEP.read_text(encoding="utf-8")
    guide.write_text(text, encoding="utf-8")
    import_guide(guide, course)
    old = contents(course)
    guide.write_text(text.replace("dull", "quiet").replace("Naps That Help", "Short Naps"), encoding="utf-8")
    touches = import_and_die(guide, course, None)
    new = contents(course)
    assert new != old
    assert touches > 20
    for at_touch in [*range(2, touches, 7), *range(touches - 8, touches + 1)]:
        guide.write_text(text, encoding="utf-8")
        import_guide(guide, course)
        guide.write_text(
            text.replace("dull", "quiet").replace("Naps That Help", "Short Naps"), encoding="utf-8"
        )
        import_and_die(guide, course, at_touch)
        # Without the exchange there is one moment without a folder; the next import brings it back.
        assert contents(course) in ((old, new) if has_exchange else (old, new, {}))
        import_guide(guide, course)
        assert contents(course) == new
        assert sorted(path.name for path in tmp_path.iterdir()) == ["course", "guide.txt"]


def _none(*_: object, **__: object) -> None:
    raise OSError("no such library")


def test_a_first_import_that_dies_leaves_no_half_course(tmp_path: Path) -> None:
    course = tmp_path / "course"
    touches = import_and_die(SLEEP, course, None)
    whole = contents(course)
    for at_touch in range(1, touches, 4):
        for path in course.iterdir():
            path.unlink()
        course.rmdir()
        import_and_die(SLEEP, course, at_touch)
        assert contents(course) in ({}, whole)
        import_guide(SLEEP, course)
        assert [path.name for path in tmp_path.iterdir()] == ["course"]
