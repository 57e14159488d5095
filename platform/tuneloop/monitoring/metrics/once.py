"""Collectors are made once a process, on first use."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def once(make: Callable[[], T]) -> Callable[[], T]:
    """One call a process, also where two threads are the first: a collector cannot be registered twice."""
    lock, made = threading.Lock(), functools.cache(make)

    @functools.wraps(make)
    def get() -> T:
        with lock:
            return made()

    return get
