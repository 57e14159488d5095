"""What a project says of looking for good options, in frozen types."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Choice:
    """One of these values; each is what would stand in the file."""

    values: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Span:
    """A number between two bounds, both included.

    Attributes:
        low: Least value; whole numbers are drawn where `low`, `high` and `step` are whole.
        high: Greatest value.
        log: Whether its logarithm is what is drawn evenly.
        step: Distance of the values, from `low`; None: any number.
    """

    low: float
    high: float
    log: bool = False
    step: float | None = None

    @property
    def whole(self) -> bool:
        """Whether only whole numbers are drawn."""
        return all(isinstance(bound, int) for bound in (self.low, self.high, 1 if self.step is None else self.step))


@dataclass(frozen=True, slots=True)
class Search:
    """How options are looked for; trials are judged on the validation rows alone.

    Attributes:
        space: Path of each option, as people write it, to what it may be.
        trials: How many are tried, the project's own options among them.
        metric: Judges a trial; None: the one that decides in the project.
        sampler: `tpe` (Tree-structured Parzen Estimator), `random`, or `grid`: every combination, in order.
        prune: Ends trials early by their validation curve: `median`, `hyperband`, or `none`.
        timeout: Seconds after which no trial begins; None: never.
        parallel: Trials at once.
        seed: Of everything that is drawn.
        on_retrain: `reuse`: a retraining takes the options that the champion's search found.
    """

    space: Mapping[str, Choice | Span]
    trials: int = 20
    metric: str | None = None
    sampler: Literal["tpe", "random", "grid"] = "tpe"
    prune: Literal["median", "hyperband", "none"] = "median"
    timeout: float | None = None
    parallel: int = 1
    seed: int = 0
    on_retrain: Literal["reuse", "search"] = "reuse"


@dataclass(frozen=True, slots=True)
class Limits:
    """What a candidate may cost at most; None: anything.

    Attributes:
        parameters: Number of weights.
        latency_ms: Median time of a request of one row, before export, on the threads it will be served with. A model
            that writes writes as many tokens as the right answer has.
        memory_mb: Growth of a fresh process by model and requests, at its peak, in units of 10^6 bytes.
    """

    parameters: int | None = None
    latency_ms: float | None = None
    memory_mb: float | None = None


@dataclass(frozen=True, slots=True)
class Candidates:
    """Base models to choose from: each what would stand as `model` in the file."""

    models: tuple[Mapping[str, Any], ...]
    limits: Limits = field(default_factory=Limits)
