"""A value that is costly to have, kept for some seconds."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable
from typing import Any, Generic, TypeVar

_T = TypeVar("_T")

_MOST = 32
"""Values."""


class Fresh(Generic[_T]):
    """Values by key, each no older than it may be; many who ask at once cost as much as one. Thread safe.

    Args:
        make: Gives the value of a key.
        seconds: How old it may be.
        clock: Monotonic seconds.
    """

    def __init__(self, make: Callable[..., _T], seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._make, self._seconds, self._clock = make, seconds, clock
        self._values: dict[tuple[Hashable, ...], tuple[float, _T]] = {}
        self._lock = threading.Lock()

    def __call__(self, *key: Any) -> _T:
        """The value."""
        with self._lock:
            found = self._values.get(key)
            if found is None or self._clock() - found[0] >= self._seconds:
                while len(self._values) >= _MOST:
                    del self._values[next(iter(self._values))]
                self._values[key] = found = (self._clock(), self._make(*key))
            return found[1]

    def forget(self) -> None:
        """Something changed: make them anew."""
        with self._lock:
            self._values.clear()
