"""What the processes of a training tell the run, kept by an actor of the cluster."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class Board:
    """Records, errors and the answer, in the order in which they came; told by several attempts at one training."""

    def __init__(self) -> None:
        self._attempts = 0
        self._records: list[dict[str, float]] = []
        self._told = 0
        self._errors: list[dict[str, Any]] = []
        self._answer: list[Any] = []

    def begin(self) -> int:
        """The first process of a new attempt is there; it tells the records of the one before again."""
        self._attempts += 1
        self._told = 0
        return self._attempts

    def tell(self, record: Mapping[str, float]) -> None:
        """One record of the history."""
        self._told += 1
        if self._told > len(self._records):
            self._records.append(dict(record))

    def fail(self, error: Mapping[str, Any]) -> None:
        """What ended a process, as `tuneloop.api.pack_error` gives it."""
        self._errors.append(dict(error))

    def finish(self, answer: Any) -> None:
        """What the first process gave."""
        self._answer = [answer]

    def errors(self) -> list[dict[str, Any]]:
        """What ended processes: causes before consequences."""
        return sorted(self._errors, key=lambda error: (not error["on_purpose"], error["lost"]))

    def read(self, place: int) -> list[dict[str, float]]:
        """The records from a place on."""
        return self._records[place:]

    def ending(self) -> tuple[int, list[Any]]:
        """How many attempts there were, and the answer in a list; an empty one where there is none."""
        return self._attempts, self._answer
