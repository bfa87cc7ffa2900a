"""What this process worked out last and may be asked for again, found by all that it was worked out of."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from threading import Lock
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class Kept(Generic[Key, Value]):
    """The newest values by their keys, at most `most` of them. A key has to say everything that matters."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = Lock()
        self._values: dict[Key, Value] = {}

    def find(self, key: Key) -> Value | None:
        """What is kept of it."""
        with self._lock:
            return self._values.get(key)

    def keep(self, key: Key, value: Value) -> None:
        """Keep it, in place of the oldest if need be."""
        with self._lock:
            self._values.pop(key, None)
            self._values[key] = value
            for oldest in list(self._values)[: -self._most]:
                del self._values[oldest]

    def get(self, key: Key, make: Callable[[], Value]) -> Value:
        """What is kept, or what `make` makes now, which is kept from then on."""
        value = self.find(key)
        if value is None:
            value = make()
            self.keep(key, value)
        return value
