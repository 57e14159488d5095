"""The workloads of the benchmark: which model, which requests, who takes part, how long."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.bench.models import Model
from tests.bench.subjects import SUBJECTS
from tests.bench.targets import RAW, TYPED, UNWATCHED
from tests.bench.workloads import Workload, encoder, even_lengths, mixed_lengths, table


@dataclass(frozen=True)
class Sort:
    """A sort of workload: its model, its requests, who takes part, and how long each load lasts.

    Attributes:
        model: See `make_model`.
        make: The requests.
        length: Seconds of warm-up and of load, and those of a quick run.
        without: Subjects that have nothing to show here.
        bursts: Subjects whose latency after a burst is measured.
    """

    model: str
    make: Callable[[Model], Workload]
    length: tuple[float, float]
    quick: tuple[float, float]
    without: tuple[str, ...] = ()
    bursts: tuple[str, ...] = ()


# A queue of 64 slow calls must have gone once through before steady state is measured.
_SLOW, _SLOW_QUICK = (1.5, 5.0), (1.0, 2.0)
_BURSTS = (RAW, "fastapi", "bentoml-batch")
WORKLOADS = {
    "table": Sort("table", table, (0.5, 3.0), (0.3, 1.0), bursts=_BURSTS),
    "encoder": Sort("encoder", lambda m: encoder(m, "encoder", even_lengths()), _SLOW, _SLOW_QUICK, bursts=_BURSTS),
    "mixed": Sort(
        "encoder", lambda m: encoder(m, "mixed", mixed_lengths()), _SLOW, _SLOW_QUICK, without=(TYPED, UNWATCHED)
    ),
    "int8": Sort(
        "encoder-int8",
        lambda m: encoder(m, "int8", even_lengths()),
        _SLOW,
        _SLOW_QUICK,
        without=tuple(name for name in SUBJECTS if name != RAW),
    ),
}
