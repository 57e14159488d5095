"""What the sections show, as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TrialLine:
    """One trial: its number, how it ended, the metric on validation, options, records, seconds, and why it failed."""

    number: int
    state: str
    value: float | None
    values: Mapping[str, str]
    epochs: int
    seconds: float
    reason: str


@dataclass(frozen=True, slots=True)
class SearchPart:
    """What a search found.

    Attributes:
        metric: Judged the trials.
        maximize: Whether more of it is better.
        found: Path to value.
        taken: `search`, or `champion` where they were found for it.
        best: Number of the best trial; None where none were done.
        own: Number of the trial with the project's own values; None: they were not tried.
        trials: In order.
        importance: Path to the share of the differences that it explains.
    """

    metric: str
    maximize: bool
    found: Mapping[str, str]
    taken: str
    best: int | None = None
    own: int | None = None
    trials: tuple[TrialLine, ...] = ()
    importance: Mapping[str, float] | None = None


@dataclass(frozen=True, slots=True)
class CandidateLine:
    """A base model: its options, score of the probe, weights, milliseconds a row, megabytes, and what is said of it."""

    name: str
    options: str
    score: float | None
    parameters: int | None
    latency_ms: float | None
    memory_mb: float | None
    verdict: str
    chosen: bool


@dataclass(frozen=True, slots=True)
class CandidatesPart:
    """How base models compared: by which metric and by what kind of probe, with one line each."""

    metric: str
    maximize: bool
    probe: str
    lines: tuple[CandidateLine, ...]
