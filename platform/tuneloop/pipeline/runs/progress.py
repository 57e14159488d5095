"""What a run tells while it works, for whoever shows it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias


@dataclass(frozen=True, slots=True)
class Progress:
    """One thing that happened in a run.

    Attributes:
        kind: A step `started` or `finished`, or a `record` of its history (an epoch) is there.
        step: The step's name.
        seconds: Wall time of a finished step.
        reused: Whether an earlier result was taken.
        data: The summary of a finished step, or the record.
        table: Of a finished step, lines in columns; empty where it has none.
    """

    kind: Literal["started", "record", "finished"]
    step: str
    seconds: float = 0.0
    reused: bool = False
    data: Mapping[str, Any] = field(default_factory=dict)
    table: str = ""


Listener: TypeAlias = Callable[[Progress], None]


def ignore(progress: Progress) -> None:
    """The listener that shows nothing."""
