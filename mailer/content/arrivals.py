"""What was brought to the desk and is still being looked at, guides and folders: each for a day."""

from __future__ import annotations

import re
import secrets
import shutil
import time
from dataclasses import dataclass, replace
from pathlib import Path, PurePath

from mailer.content.course_edit import changed_course
from mailer.content.course_folder import COURSE_FILE
from mailer.content.draft_store import FOLDER, put_file
from mailer.content.guide import ImportReport, course_slug, import_guide
from mailer.content.guide.adjust import Section, Wish, adjust, wishes_as_json, wishes_of_json
from mailer.errors import NotFound, Refused

KEPT_SECONDS = 86_400
MOST_GUIDE = 20_000_000
"""Bytes of a guide that is uploaded."""
ENDINGS = (".txt", ".md", ".markdown", ".html", ".htm", ".docx")
ZIP = "folder.zip"
WISHES = "sections.json"
NAME = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True)
class Arrival:
    """A guide with how it was understood for a course of so many days, and what its sections became."""

    name: str
    file: str
    days: int
    report: ImportReport
    sections: tuple[Section, ...] = ()

    @property
    def steps(self) -> int:
        """How many mails it gives."""
        return sum(section.day is not None for section in self.sections)

    def files(self, title: str, slug: str, sender: dict[str, str]) -> dict[str, str | bytes]:
        """The course folder that it becomes, with this title and slug."""
        folder = self.report.folder
        files: dict[str, str | bytes] = {
            path.relative_to(folder).as_posix(): path.read_bytes()
            for path in folder.rglob("*")
            if path.is_file()
        }
        toml = (folder / COURSE_FILE).read_text(encoding="utf-8")
        words = {"title": title, "list_title": title} if title != self.report.title else {}
        consent = f"I agree to receive the email course “{title}” by email. "
        consent += "I can unsubscribe at any time with the link in every mail."
        if words:
            words["consent"] = consent
        own = {f"sender.{name}": value for name, value in sender.items()}
        files[COURSE_FILE] = changed_course(toml, {"slug": slug, "list": slug, **words, **own})
        return files


class Arrivals:
    """The guides that wait below one data folder."""

    def __init__(self, data_dir: Path) -> None:
        self.home = data_dir / FOLDER / ".arrivals"

    def take(self, file: str, content: bytes, days: int) -> Arrival:
        """Keep an uploaded guide and understand it. Raises Refused, and keeps nothing, when it is none."""
        self._clear()
        ending = PurePath(file.replace("\\", "/")).suffix.lower()
        if ending not in ENDINGS:
            raise Refused("A guide is a file that ends in .txt, .md, .html or .docx.")
        if not content:
            raise Refused("The file is empty; take another one.")
        name = secrets.token_hex(16)
        folder = self.home / name
        folder.mkdir(parents=True)
        shown = re.sub(r"[^\w .()-]", "", PurePath(file.replace("\\", "/")).stem)[:80].strip(" .") or "guide"
        try:
            put_file(folder / f"{shown}{ending}", content)
            return self._understand(folder, days)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise

    def look(self, name: str, days: int | None = None) -> Arrival:
        """One of them, for as many days as it was last (or for `days` from now on); raises NotFound."""
        return self._understand(self.guide(name).parent, days)

    def adjust(self, name: str, key: str, wish: Wish) -> Arrival:
        """Have a section otherwise from now on; raises NotFound, or Refused, and then all is as before."""
        folder = self.guide(name).parent
        kept = folder / WISHES
        before = kept.read_text(encoding="utf-8") if kept.exists() else "{}"
        wishes = wishes_of_json(before)
        # At the end, where a day is taken that an earlier wish gave to another section.
        wishes.pop(key, None)
        put_file(kept, wishes_as_json({**wishes, key: wish}).encode())
        try:
            return self._understand(folder, None)
        except BaseException:
            put_file(kept, before.encode())
            raise

    def guide(self, name: str) -> Path:
        """The guide's file; raises NotFound."""
        folder = self.home / name
        if not NAME.fullmatch(name) or not folder.is_dir() or (folder / ZIP).exists():
            raise NotFound("This guide is not here any more; bring it again.")
        return next(path for path in folder.iterdir() if path.suffix.lower() in ENDINGS)

    def keep_zip(self, content: bytes) -> str:
        """Keep the zip of a course folder while it is looked at; returns the name that it has here."""
        self._clear()
        name = secrets.token_hex(16)
        (self.home / name).mkdir(parents=True)
        put_file(self.home / name / ZIP, content)
        return name

    def zip(self, name: str) -> bytes:
        """A zip that was kept; raises NotFound."""
        path = self.home / name / ZIP
        if not NAME.fullmatch(name) or not path.is_file():
            raise NotFound("This folder is not here any more; bring it again.")
        return path.read_bytes()

    def forget(self, name: str) -> None:
        """Away with it: it has become a course, or was not wanted."""
        if NAME.fullmatch(name):
            shutil.rmtree(self.home / name, ignore_errors=True)

    def _understand(self, folder: Path, days: int | None) -> Arrival:
        guide = next(path for path in folder.iterdir() if path.suffix.lower() in ENDINGS)
        kept = folder / "days"
        days = days or (int(kept.read_text(encoding="ascii")) if kept.exists() else 30)
        out = folder / f"course-{secrets.token_hex(4)}"
        kept_wishes = folder / WISHES
        wishes = wishes_of_json(kept_wishes.read_text(encoding="utf-8")) if kept_wishes.exists() else {}
        try:
            report = import_guide(guide, out, days=days)
            sections = adjust(out, wishes, days)
        except Refused as error:
            shutil.rmtree(out, ignore_errors=True)
            # In the words of whoever brought the file: they know no path of this machine.
            raise Refused(
                error.what.replace(str(guide), guide.name).replace(f"{out}", "The course")
            ) from None
        course = folder / "course"
        shutil.rmtree(course, ignore_errors=True)
        out.rename(course)
        put_file(kept, str(days).encode("ascii"))
        return Arrival(folder.name, guide.name, days, replace(report, folder=course), sections)

    def _clear(self) -> None:
        """Forget what nobody made a course of within a day."""
        if self.home.is_dir():
            for one in self.home.iterdir():
                if time.time() - one.stat().st_mtime > KEPT_SECONDS:
                    shutil.rmtree(one, ignore_errors=True)


def slug_for(title: str) -> str:
    """The slug that a course of this title gets when nobody says another."""
    return course_slug(title)
