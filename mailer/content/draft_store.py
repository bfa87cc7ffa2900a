"""Courses that are written on the desk: a course folder for each, below the data folder.

It is the folder that the command line uses too (`steadypost course check DATA/courses/SLUG`). Whoever
looks sees a file, or a folder, as it was or as it is now, never half of it.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from mailer.content.course_files import files_digest, pack, packed_files
from mailer.content.course_folder import COURSE_FILE, STEP_SUFFIXES
from mailer.content.course_words import SLUG
from mailer.content.guide.swap import create_folder, recover, replace_folder
from mailer.errors import NotFound, Refused

FOLDER = "courses"
KEPT_TYPING = ".typing"
"""Beside the courses: texts that somebody is still typing, so that a closed window loses nothing."""
REPLACED = ".replaced"
"""Beside them: what a draft held before all of it was replaced."""
CHANGED = (
    "Somebody else has changed {name} meanwhile, so nothing was saved. What you typed is still "
    "here: look at theirs first, or save yours over it."
)


@dataclass(frozen=True)
class Typing:
    """A text that is being typed and not saved, and whom it is shown for (None: a made-up reader).

    `base` is the digest of the file that it began with: by then somebody else may have changed that.
    """

    text: str
    base: str
    as_subscriber: int | None = None


class Drafts:
    """The courses below one data folder. All that writes takes turns, whichever process it is in."""

    def __init__(self, data_dir: Path) -> None:
        self.home = data_dir / FOLDER

    def slugs(self) -> list[str]:
        """Every course that has a folder here."""
        if not self.home.is_dir():
            return []
        return sorted(one.name for one in self.home.iterdir() if (one / COURSE_FILE).is_file() and _fits(one))

    def has(self, slug: str) -> bool:
        """Whether there is a folder of this slug."""
        return bool(SLUG.fullmatch(slug)) and (self.home / slug / COURSE_FILE).is_file()

    def folder(self, slug: str) -> Path:
        """The course's folder; raises NotFound."""
        if not self.has(slug):
            raise NotFound(f"There is no draft of a course {slug!r}; bring its guide or its folder first.")
        return self.home / slug

    def step(self, slug: str, name: str) -> Path:
        """One of its text files; raises NotFound for all that is none."""
        folder = self.folder(slug)
        known = {path.name for path in text_files(folder)}
        if name not in known:
            raise NotFound(f"{slug} has no step in a file {name!r}.")
        return folder / name

    def digest(self, slug: str) -> str:
        """A fingerprint of the whole folder: another one as soon as anything in it is another."""
        return digest_of(self.folder(slug))

    def create(self, slug: str, files: Mapping[str, str | bytes]) -> Path:
        """A new folder; raises Refused when there is one of this slug."""
        if not SLUG.fullmatch(slug):
            raise Refused(f"{slug!r} cannot be a course's slug; use small letters, digits and hyphens.")
        with self._turn():
            if (self.home / slug).exists():
                raise Refused(f"There is a draft of {slug} already; open it, or take another slug.")
            create_folder(self.home / slug, files)
        return self.home / slug

    def replace(self, slug: str, files: Mapping[str, str | bytes], *, seen: str) -> None:
        """The folder with exactly these files from now on.

        What it held is kept until it is replaced the next time (`bring_back`). Raises Refused when its
        `digest` is not `seen` any more.
        """
        folder = self.folder(slug)
        with self._turn():
            before = files_of(folder)
            if files_digest(before) != seen:
                raise Refused(f"Somebody else has changed {slug} meanwhile; look again, then replace it.")
            kept = self._kept_path(slug)
            kept.parent.mkdir(parents=True, exist_ok=True)
            put_file(kept, pack(slug, before))
            replace_folder(folder, files, [name for name in before if name not in files])

    def replaced_at(self, slug: str) -> datetime | None:
        """When the draft was replaced by another one that can be taken back; None when it was not."""
        try:
            return datetime.fromtimestamp(self._kept_path(slug).stat().st_mtime, UTC)
        except FileNotFoundError:
            return None

    def bring_back(self, slug: str, *, seen: str) -> None:
        """What the draft was before it was replaced; doing it twice undoes it. Raises NotFound or Refused."""
        try:
            kept = self._kept_path(slug).read_bytes()
        except FileNotFoundError:
            raise NotFound(f"The draft of {slug} was not replaced, so there is none to bring back.") from None
        self.replace(slug, packed_files(kept), seen=seen)

    def change(self, slug: str, files: Mapping[str, str | bytes], *, before: str) -> None:
        """Some of its files written anew, all or none; raises Refused when it is not as in `before` now.

        `before` is the `digest` of the folder that the change was thought out for.
        """
        folder = self.folder(slug)
        with self._turn():
            if digest_of(folder) != before:
                raise Refused(f"Somebody else has changed {slug} meanwhile; look again, then change it.")
            replace_folder(folder, files, [])

    def save(self, slug: str, name: str, text: str, *, before: str) -> None:
        """One of its files written anew; raises Refused when it is no longer what `before` fingerprints."""
        path = self.folder(slug) / name
        with self._turn():
            if file_digest(path) != before:
                raise Refused(CHANGED.format(name=name))
            put_file(path, text.encode())

    def remove_files(self, slug: str, names: Sequence[str], *, before: str) -> None:
        """Without these files from now on; raises Refused when `digest_of_files` is not `before` any more."""
        folder = self.folder(slug)
        with self._turn():
            if self.digest_of_files(slug, names) != before:
                raise Refused(f"Somebody else has changed {names[0]} meanwhile; look again, then remove it.")
            for name in names:
                (folder / name).unlink()

    def digest_of_files(self, slug: str, names: Sequence[str]) -> str:
        """A fingerprint of some of its files; raises NotFound when there is none of such a name."""
        folder = self.folder(slug)
        try:
            return files_digest({name: (folder / name).read_bytes() for name in names})
        except FileNotFoundError:
            raise NotFound(f"{slug} has no file {names[0]!r} any more; look again.") from None

    def remove(self, slug: str) -> None:
        """Forget the draft; what is published of it stays."""
        folder = self.folder(slug)
        with self._turn():
            gone = self.home / f".{slug}.importing-{os.getpid()}"
            folder.rename(gone)
            shutil.rmtree(gone)
            shutil.rmtree(self.home / KEPT_TYPING / slug, ignore_errors=True)
            self._kept_path(slug).unlink(missing_ok=True)

    def typing(self, slug: str, name: str, who: int) -> Typing | None:
        """What this operator has typed into a step and not saved."""
        try:
            values = json.loads(self._typing_path(slug, name, who).read_text(encoding="utf-8"))
            return Typing(values["text"], values["base"], values["as"])
        except (OSError, ValueError, KeyError):
            return None

    def keep_typing(self, slug: str, name: str, who: int, typing: Typing | None) -> None:
        """Keep it, or (None) forget it."""
        path = self._typing_path(slug, name, who)
        if typing is None:
            path.unlink(missing_ok=True)
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        values = {"text": typing.text, "base": typing.base, "as": typing.as_subscriber}
        put_file(path, json.dumps(values).encode())

    def _kept_path(self, slug: str) -> Path:
        return self.home / REPLACED / f"{slug}.zip"

    def _typing_path(self, slug: str, name: str, who: int) -> Path:
        self.step(slug, name)
        return self.home / KEPT_TYPING / slug / f"{who}-{name}.json"

    @contextmanager
    def _turn(self) -> Iterator[None]:
        self.home.mkdir(parents=True, exist_ok=True)
        with (self.home / ".turn").open("a") as turn:
            fcntl.flock(turn, fcntl.LOCK_EX)
            for slug in {one.name.split(".")[1] for one in self.home.glob(".*.*-*")}:
                recover(self.home / slug)
            yield


def text_files(folder: Path) -> list[Path]:
    """The step files of a course folder."""
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in STEP_SUFFIXES and _fits(path))


def files_of(folder: Path) -> dict[str, bytes]:
    """All files of a folder by their paths in it."""
    paths = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def digest_of(folder: Path) -> str:
    """A fingerprint of all files of a folder, names and bytes."""
    return files_digest(files_of(folder))


def file_digest(path: Path) -> str:
    """A fingerprint of one file; empty when there is none."""
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""


def put_file(path: Path, content: bytes) -> None:
    """Write a file whole: it is the old one until the new one is on the disk."""
    building = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        with building.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        building.replace(path)
    except OSError as error:
        building.unlink(missing_ok=True)
        raise Refused(f"{path.name} cannot be written ({error.strerror}); nothing was changed.") from error


def _fits(path: Path) -> bool:
    return not path.name.startswith(".")
