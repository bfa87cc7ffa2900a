"""The files that each version of a course was published from: kept with it, and given back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import delete, exists, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from mailer.content.course_files import files_digest, pack, packed_files
from mailer.content.draft_store import put_file
from mailer.content.guide.swap import create_folder
from mailer.errors import NotFound, Refused
from mailer.models import Course, CourseFiles, CourseVersion
from mailer.schedule.courses import get_course


@dataclass(frozen=True)
class VersionFiles:
    """The files of one version, byte for byte, by their paths in the course folder."""

    slug: str
    number: int
    files: Mapping[str, bytes]

    def packed(self) -> bytes:
        """The zip of the course folder."""
        return pack(self.slug, self.files)

    def write(self, to: Path) -> None:
        """Write them as a folder, or as a zip where the name ends so; raises Refused where something is."""
        if to.exists() and (not to.is_dir() or any(to.iterdir())):
            raise Refused(f"There is something at {to} already; name another place.")
        if to.suffix == ".zip":
            put_file(to, self.packed())
        else:
            create_folder(to.absolute(), self.files)


def files_of_version(session: Session, slug: str, number: int | None = None) -> VersionFiles:
    """The files of a version (None: the one in place). Raises NotFound, or Refused when none are kept."""
    course = get_course(session, slug)
    wanted = course.version if number is None else number
    row = session.execute(
        select(CourseVersion.id, CourseFiles.packed)
        .outerjoin(CourseFiles, CourseFiles.digest == CourseVersion.files_digest)
        .where(CourseVersion.course_id == course.id, CourseVersion.number == wanted)
    ).one_or_none()
    if row is None:
        raise NotFound(f"{slug} has no version {wanted}.")
    if row.packed is None:
        raise Refused(
            f"Version {wanted} of {slug} was published before versions kept their files, so there is no text "
            "of it here. Publish it once more from its folder, and its files are kept from then on."
        )
    return VersionFiles(slug, wanted, packed_files(row.packed))


def keeps_files(session: Session, course: Course) -> bool:
    """Whether the version in place keeps the files it was published from."""
    return _kept(session, course) is not None


def are_kept(session: Session, course: Course, files: Mapping[str, bytes]) -> bool:
    """Whether these are the very files that the version in place keeps."""
    return _kept(session, course) == files_digest(files)


def put_files(session: Session, slug: str, files: Mapping[str, bytes]) -> str:
    """Keep these files, once however often they are published; returns their digest."""
    digest = files_digest(files)
    if not session.execute(select(exists().where(CourseFiles.digest == digest))).scalar_one():
        session.execute(
            insert(CourseFiles).values(digest=digest, packed=pack(slug, files)).on_conflict_do_nothing()
        )
    return digest


def keep_instead(session: Session, course: Course, files: Mapping[str, bytes]) -> None:
    """Have the version in place keep these files, which differ in nothing that readers get."""
    version = session.execute(
        select(CourseVersion).where(
            CourseVersion.course_id == course.id, CourseVersion.number == course.version
        )
    ).scalar_one()
    before, version.files_digest = version.files_digest, put_files(session, course.slug, files)
    session.flush()
    is_needed = exists().where(CourseVersion.files_digest == before)
    session.execute(delete(CourseFiles).where(CourseFiles.digest == before, ~is_needed))


def _kept(session: Session, course: Course) -> str | None:
    """The digest of the files of the version in place."""
    return session.execute(
        select(CourseVersion.files_digest).where(
            CourseVersion.course_id == course.id, CourseVersion.number == course.version
        )
    ).scalar_one_or_none()
