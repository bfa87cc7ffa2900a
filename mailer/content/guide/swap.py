"""A folder put in place whole: whoever looks sees the old one or the new one, never a mix."""

from __future__ import annotations

import ctypes
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil

from mailer.errors import Refused

AT_FDCWD = -100
RENAME_EXCHANGE = 2
"""linux/fs.h: renameat2(2) exchanges two paths in one step."""


def create_folder(folder: Path, files: Mapping[str, str | bytes]) -> None:
    """Writes a new folder of these files beside its place, then moves it there.

    `folder` may exist if it is empty. Raises Refused, and leaves nothing behind, when it cannot be written.
    """
    with _building(folder) as building:
        building.mkdir()
        _write(building, files)
        building.rename(folder)


def replace_folder(folder: Path, files: Mapping[str, str | bytes], removed: Sequence[str]) -> None:
    """Changes some files of a folder at once, by exchanging it for a changed copy of it."""
    with _building(folder) as building:
        shutil.copytree(folder, building, symlinks=True)
        for name in removed:
            (building / name).unlink(missing_ok=True)
        _write(building, files)
        _exchange(building, folder)


def recover(folder: Path) -> None:
    """Clears away what an import that was killed left beside `folder`; puts the old one back if need be."""
    beside = list(folder.parent.iterdir()) if folder.parent.is_dir() else []
    for left in beside:
        kind, _, process = left.name.removeprefix(f".{folder.name}.").partition("-")
        if kind not in {"importing", "before"} or not process.isdigit() or psutil.pid_exists(int(process)):
            continue
        if kind == "before" and not folder.exists():
            left.rename(folder)
        else:
            shutil.rmtree(left, ignore_errors=True)


@contextmanager
def _building(folder: Path) -> Iterator[Path]:
    """A path beside `folder` to build in; nothing stays there, nor any parent folder made for it."""
    missing = [parent for parent in folder.parents if not parent.exists()]
    building = folder.parent / f".{folder.name}.importing-{os.getpid()}"
    is_done = False
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        yield building
        is_done = True
    except OSError as error:
        raise Refused(f"{folder} cannot be written ({error.strerror}); nothing was written.") from error
    finally:
        shutil.rmtree(building, ignore_errors=True)
        for parent in [] if is_done else missing:
            if parent.is_dir() and not any(parent.iterdir()):
                parent.rmdir()


def _write(folder: Path, files: Mapping[str, str | bytes]) -> None:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        # A file that is a link to elsewhere is replaced; what it points at is not ours to write.
        (folder / name).unlink(missing_ok=True)
        with (folder / name).open("wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())


def _exchange(new: Path, old: Path) -> None:
    """Puts `new` where `old` is, and `old` where `new` was."""
    if _renameat2(new, old):
        return
    # No such call here (not Linux, or a file system without it): two renames, the first undone if the
    # second fails, and `recover` mends it if the process dies between them.
    before = old.parent / f".{old.name}.before-{os.getpid()}"
    old.rename(before)
    try:
        new.rename(old)
    except OSError:
        before.rename(old)
        raise
    before.rename(new)


def _renameat2(new: Path, old: Path) -> bool:
    try:
        call = ctypes.CDLL(None, use_errno=True).renameat2
    except (AttributeError, OSError, TypeError):
        return False
    return bool(call(AT_FDCWD, os.fsencode(new), AT_FDCWD, os.fsencode(old), RENAME_EXCHANGE) == 0)
