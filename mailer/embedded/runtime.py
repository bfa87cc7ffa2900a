"""Where a data folder's sockets live, and the lock that keeps two starts off one folder."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from mailer.embedded.leftovers import end_leftovers
from mailer.errors import Refused

# Not tempfile.gettempdir(): TMPDIR may be long, and a socket path over 107 bytes is cut silently.
SHORT_BASE = Path("/tmp")  # noqa: S108
OTHER_FOLDER = "set STEADYPOST_DATA_DIR to a folder that can"


def runtime_path(data_dir: Path) -> Path:
    """The short folder for the sockets of `data_dir`, whether it is there or not.

    Its name is derived from the data folder and the user, so it is the same on the next start and in
    another process. In /tmp anybody may have made this name first, even as a link to somewhere else:
    raises Refused then.
    """
    told_apart = f"{os.geteuid()}:{data_dir.resolve()}".encode()
    folder = SHORT_BASE / f"steadypost-{hashlib.sha256(told_apart).hexdigest()[:8]}"
    try:
        found = folder.lstat()
    except FileNotFoundError:
        return folder
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise Refused(
            f"{folder} belongs to somebody else, so sockets in it would not be private; "
            "remove it, or set STEADYPOST_DATA_DIR to another folder"
        )
    return folder


@contextmanager
def short_folder() -> Iterator[Path]:
    """A folder that goes away again: its path is short enough for sockets, and other users may enter it,
    since root's PostgreSQL runs as one of them."""
    folder = Path(tempfile.mkdtemp(prefix="sp-", dir=SHORT_BASE))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def make_runtime_folder(data_dir: Path, part: str) -> Path:
    """The subfolder `part` of the runtime folder, made when missing; nobody else can look into it."""
    folder = runtime_path(data_dir)
    folder.mkdir(mode=0o700, exist_ok=True)
    runtime_path(data_dir)  # again: it may have been made by somebody in between
    # As root, PostgreSQL runs as another user, who must pass through to a subfolder of its own.
    folder.chmod(0o711 if os.geteuid() == 0 else 0o700)
    subfolder = folder / part
    subfolder.mkdir(mode=0o700, exist_ok=True)
    return subfolder


def remove_runtime_folder(data_dir: Path, part: str) -> None:
    """Remove the subfolder `part`, and the whole runtime folder when that was the last."""
    folder = runtime_path(data_dir)
    shutil.rmtree(folder / part, ignore_errors=True)
    with suppress(OSError):  # another part is in use, or there was none
        folder.rmdir()


def make_data_dir(data_dir: Path) -> None:
    """Make `data_dir` when it is missing; raises Refused when that is not possible."""
    try:
        if not data_dir.is_dir():
            data_dir.mkdir(parents=True)
            # Root's PostgreSQL runs as another user, who must pass through; a strict umask forbids it.
            data_dir.chmod(0o755 if os.geteuid() == 0 else 0o700)
    except OSError as error:
        raise Refused(f"{data_dir} cannot be used for data ({error.strerror}); {OTHER_FOLDER}") from None


class FolderLock:
    """A lock file held by this process; the kernel lets go of it when the process ends, however it ends."""

    def __init__(self, path: Path, busy: str) -> None:
        """Take the lock; raises Refused with `busy` and the number of the process that holds it."""
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise Refused(f"{path} cannot be written ({error.strerror}); {OTHER_FOLDER}") from None
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(self._file, 20, 0).decode("ascii", "replace").strip() or "unknown"
            os.close(self._file)
            raise Refused(f"{busy} (process {holder})") from None
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, f"{os.getpid()}\n".encode("ascii"), 0)
        self._held = True

    def release(self) -> None:
        """Let go; the file stays, because removing it would let two processes lock two files of one name."""
        if self._held:
            self._held = False
            os.close(self._file)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def lock_data_dir(data_dir: Path) -> FolderLock:
    """Hold `data_dir` for this process, until release() or its end; raises Refused when another does.

    What an earlier start left running because it was killed is ended, before anything new begins.
    """
    make_data_dir(data_dir)
    lock = FolderLock(data_dir / "lock", f"Steadypost is already running on {data_dir}")
    end_leftovers(data_dir)
    return lock
