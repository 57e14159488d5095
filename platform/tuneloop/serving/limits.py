"""The limits a worker sets to what clients may ask of it; from its environment."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from tuneloop.api import ServingError

T = TypeVar("T", int, float)


@dataclass(frozen=True, slots=True)
class Limits:
    """What a worker takes on.

    Attributes:
        body_seconds: Within which the head of a request, and then its body, must arrive.
        held_bytes: Of large bodies in memory at one time; more are refused as overload.
        queue_rows: Rows that may wait for a model too slow to run inline; a request of more is refused.
        deadline_seconds: From the arrival of a request; past it its work is not begun.
    """

    body_seconds: float = 20.0
    held_bytes: int = 128 << 20
    queue_rows: int = 1024
    deadline_seconds: float = 30.0

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Limits:
        """Read `TUNELOOP_BODY_SECONDS`, `TUNELOOP_HELD_BYTES`, `TUNELOOP_QUEUE_ROWS`, `TUNELOOP_DEADLINE_SECONDS`.

        Raises:
            ServingError: One is no number above 0.
        """
        return cls(
            body_seconds=_positive(environment, "TUNELOOP_BODY_SECONDS", float, cls().body_seconds),
            held_bytes=_positive(environment, "TUNELOOP_HELD_BYTES", int, cls().held_bytes),
            queue_rows=_positive(environment, "TUNELOOP_QUEUE_ROWS", int, cls().queue_rows),
            deadline_seconds=_positive(environment, "TUNELOOP_DEADLINE_SECONDS", float, cls().deadline_seconds),
        )


DEFAULT_LIMITS = Limits()


def _positive(environment: Mapping[str, str], name: str, kind: Callable[[str], T], default: T) -> T:
    given = environment.get(name)
    if not given:
        return default
    try:
        value = kind(given)
    except ValueError:
        value = kind("0")
    if not 0 < value < 1 << 62:
        raise ServingError(f"the environment variable {name} is {given!r}; it must be a number above 0")
    return value
