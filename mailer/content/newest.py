"""The newest things that this process has made, so that what has not changed is not made again."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from threading import Lock
from typing import Generic, TypeVar

Key = TypeVar("Key")
Made = TypeVar("Made")


class Newest(Generic[Key, Made]):
    """At most `most` of them, by all that they were made of; for several threads at once."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._turn = Lock()
        self._made: OrderedDict[Key, Made] = OrderedDict()

    def find(self, key: Key) -> Made | None:
        with self._turn:
            made = self._made.get(key)
            if made is not None:
                self._made.move_to_end(key)
            return made

    def keep(self, key: Key, made: Made) -> None:
        with self._turn:
            self._made[key] = made
            self._made.move_to_end(key)
            while len(self._made) > self._most:
                self._made.popitem(last=False)

    def get(self, key: Key, make: Callable[[], Made]) -> Made:
        """What is kept, or what `make` makes now, which is kept from then on."""
        made = self.find(key)
        if made is None:
            made = make()
            self.keep(key, made)
        return made
