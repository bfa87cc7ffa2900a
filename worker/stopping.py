"""Whether this worker is to end: told by its parent, seen by every process that it has forked.

A worker that is told to stop waits for its tasks, and whoever told it does not wait for ever. So a batch
ends with the mails that are under way, and the rest is planned again.
"""

from __future__ import annotations

import mmap
from typing import Any

from celery.signals import worker_shutting_down

_flag = mmap.mmap(-1, 1)
"""One byte of memory that processes forked after this share."""


def is_stopping() -> bool:
    """Whether the worker was told to stop."""
    return _flag[0] == 1


def _stop(**_: Any) -> None:
    _flag[0] = 1


worker_shutting_down.connect(_stop)
