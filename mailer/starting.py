"""How our programs start quickly."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def importing() -> Iterator[None]:
    """Import what a program is made of without looking through it for garbage.

    Modules are many objects that stay: looking through them again and again is a third of what a start
    costs, and once more at the end. What is there afterwards is never looked at again, so that processes
    that are forked share its memory (Python's documentation of gc.freeze).
    """
    was_looking = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_looking:
            gc.enable()
