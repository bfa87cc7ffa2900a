"""What our own PostgreSQL and Redis have in common: one process for one data folder, and its end."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

from mailer.embedded.process import stop
from mailer.embedded.runtime import FolderLock, remove_runtime_folder


class EmbeddedServer:
    """A server of one data folder; `name` names its log and its folder of sockets."""

    def __init__(
        self, data_dir: Path, name: str, socket_part: str, shutdown: Sequence[tuple[signal.Signals, float]]
    ) -> None:
        """`shutdown` are the signals that end it, each with the seconds to wait for their effect."""
        self.data_dir = data_dir.absolute()
        self.log = self.data_dir / "logs" / f"{name}.log"
        self._socket_part = socket_part
        self._shutdown = shutdown
        self._process: subprocess.Popen[bytes] | None = None
        self._lock: FolderLock | None = None

    def stop(self) -> None:
        """Shut down and wait for the end."""
        if self._process is not None:
            stop(self._process, self._shutdown)
            self._process = None
        if self._lock is not None:
            remove_runtime_folder(self.data_dir, self._socket_part)
            self._lock.release()
            self._lock = None

    def is_alive(self) -> bool:
        """Whether the server process runs."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int | None:
        """The number of the server process, while there is one."""
        return self._process.pid if self._process else None
