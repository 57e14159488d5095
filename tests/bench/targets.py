"""What is to be reached, as ratios within one run, and the rows of the report that say whether it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from tests.bench.burst import CROWD, Burst
from tests.bench.figures import Figures
from tests.bench.footprint import Environment, Memory
from tests.bench.loads import Measurement
from tests.bench.numbers import Spread, ratios, spread

RAW, TYPED, UNWATCHED = "tuneloop-raw", "tuneloop-typed", "tuneloop-typed-unwatched"
_AHEAD = 1.0
_TINY = {"bentoml": 8.0, "litserve": 3.0, "mlserver": 3.0, "fastapi": 1.0}
"""Least ratio of the raw door to a peer; of any other it is to be ahead."""
_TYPED_TO_BENTOML = 4.0
_OF_CEILING, _TO_PADDED, _INT8_TO_TORCH, _OF_QUEUE, _AFTER_BURST = 0.95, 2.0, 2.5, 1.3, 1.10
_MONITORING = {"table": 0.15, "encoder": 0.05}
_ENVIRONMENT_MB, _READY_SECONDS, _MEMORY_GROWTH = 260.0, 5.0, 0.02
_PADDED = ("bentoml-batch", "litserve-batch")

Verdict = Literal["reached", "short", "ahead", "level", "behind", ""]


@dataclass(frozen=True)
class Row:
    """One line of the report.

    Attributes:
        what: Is compared.
        at: Under which load.
        figure: Over the rounds.
        target: None: there is none.
        least: Whether the target is a lower bound.
        cpu: The same by processor time a request, which a busy machine disturbs less.
        aim: Whether the target is an aim of ours alone: to be ahead of a peer.
    """

    what: str
    at: str
    figure: Spread
    target: float | None = None
    least: bool = True
    cpu: Spread | None = None
    aim: bool = False

    @property
    def verdict(self) -> Verdict:
        """Whether the median reaches the target; `level`: the aim lies within the range of the rounds."""
        if self.target is None:
            return ""
        if self.aim:
            if self.figure.low <= self.target <= self.figure.high:
                return "level"
            return "ahead" if self.figure.median > self.target else "behind"
        reached = self.figure.median >= self.target if self.least else self.figure.median <= self.target
        return "reached" if reached else "short"


def rows(
    measurements: Sequence[Measurement],
    bursts: Sequence[Burst],
    environment: Environment | None,
    memories: Sequence[Memory],
) -> list[Row]:
    """Every row that what was measured allows."""
    figures = Figures(measurements)
    return [
        *_peer_rows(figures, "table", RAW, _TINY),
        *_peer_rows(figures, "table", TYPED, {"bentoml": _TYPED_TO_BENTOML}),
        *_peer_rows(figures, "encoder", RAW, {}),
        *_way_rows(figures, "encoder", lambda _: True, _OF_CEILING, "best calls in a process"),
        *_peer_rows(figures, "mixed", RAW, dict.fromkeys(_PADDED, _TO_PADDED)),
        *_way_rows(figures, "mixed", _padded, _TO_PADDED, "best padded calls in a process"),
        *_way_rows(figures, "mixed", lambda way: not _padded(way), _OF_CEILING, "best unpadded calls in a process"),
        *_way_rows(figures, "int8", lambda way: way.startswith("torch"), _INT8_TO_TORCH, "torch eager, best calls"),
        *_way_rows(figures, "int8", lambda way: way.startswith("onnx"), _OF_CEILING, "best calls in a process"),
        *_queue_rows(figures),
        *_burst_rows(bursts),
        *_monitoring_rows(figures),
        *_environment_rows(environment),
        *_memory_rows(memories),
    ]


def _padded(way: str) -> bool:
    return not way.endswith(" 1 a call")


def _ratio(figures: Figures, workload: str, own: tuple[str, int], other: tuple[str, int]) -> tuple[Spread, Spread]:
    """Of rates, and of processor times the other way round: above 1 is better in both."""
    own_cpu, other_cpu = (figures.pick(workload, *one, lambda m: m.cpu) for one in (own, other))
    return (
        spread(ratios(figures.rates(workload, *own), figures.rates(workload, *other))),
        spread(ratios(other_cpu, own_cpu)),
    )


def _peer_rows(figures: Figures, workload: str, own: str, targets: dict[str, float]) -> list[Row]:
    if own not in figures.subjects(workload):
        return []
    found = []
    for peer in figures.subjects(workload):
        if peer.startswith("tuneloop"):
            continue
        for clients in figures.concurrencies(workload):
            rate, cpu = _ratio(figures, workload, (own, clients), (peer, clients))
            target, aim = targets.get(peer, _AHEAD), peer not in targets
            found.append(Row(f"{workload}: {own} / {peer}", f"{clients} clients", rate, target, cpu=cpu, aim=aim))
    return found


def _way_rows(figures: Figures, workload: str, matches: Callable[[str], bool], target: float, title: str) -> list[Row]:
    way = figures.best_way(workload, matches)
    if way is None or RAW not in figures.subjects(workload):
        return []
    found = []
    for clients in figures.concurrencies(workload):
        if clients > 1:
            rate, cpu = _ratio(figures, workload, (RAW, clients), (way, 0))
            found.append(Row(f"{workload}: {RAW} / {title} ({way})", f"{clients} clients", rate, target, cpu=cpu))
    return found


def _queue_rows(figures: Figures) -> list[Row]:
    """p99 as a multiple of the ideal queue: with n clients in a closed loop, n / rate is the mean latency there is."""
    found = []
    for workload in dict.fromkeys(one.workload for one in figures.measurements):
        for subject in figures.subjects(workload):
            tails = figures.pick(workload, subject, CROWD, lambda one: one.p99 * one.rate / CROWD)
            if tails:
                target = _OF_QUEUE if subject == RAW else None
                found.append(
                    Row(
                        f"{workload}: {subject}, p99 / ideal queue",
                        f"{CROWD} clients",
                        spread(tails),
                        target,
                        least=False,
                    )
                )
    return found


def _burst_rows(bursts: Sequence[Burst]) -> list[Row]:
    found = []
    for workload, subject in dict.fromkeys((one.workload, one.subject) for one in bursts):
        ones = [one for one in bursts if (one.workload, one.subject) == (workload, subject)]
        figure = spread(ratios([one.after for one in ones], [one.before for one in ones]))
        target = _AFTER_BURST if subject == RAW else None
        what = f"{workload}: {subject}, latency right after a burst / before"
        found.append(Row(what, f"1 client after {CROWD}", figure, target, least=False))
    return found


def _monitoring_rows(figures: Figures) -> list[Row]:
    found = []
    for workload, target in _MONITORING.items():
        if not {TYPED, UNWATCHED} <= set(figures.subjects(workload)):
            continue
        for clients in figures.concurrencies(workload):
            rate, cpu = _ratio(figures, workload, (TYPED, clients), (UNWATCHED, clients))
            cost, spent = (Spread(1 - one.median, 1 - one.high, 1 - one.low, one.rounds) for one in (rate, cpu))
            what = f"{workload}: share of throughput that store and signals cost"
            found.append(Row(what, f"{clients} clients", cost, target, least=False, cpu=spent))
    return found


def _environment_rows(environment: Environment | None) -> list[Row]:
    if environment is None:
        return []
    return [
        Row("serving environment, MB", "", spread([environment.installed / 1e6]), _ENVIRONMENT_MB, least=False),
        Row(
            "serving environment without bytecode (pip install --no-compile), MB",
            "",
            spread([(environment.installed - environment.bytecode) / 1e6]),
        ),
        Row("libraries for training in it", "", spread([len(environment.training)]), 0.0, least=False),
        Row(
            "seconds until ready",
            "",
            spread(environment.ready),
            _READY_SECONDS,
            least=False,
            cpu=spread(environment.ready_cpu),
        ),
    ]


def _memory_rows(memories: Sequence[Memory]) -> list[Row]:
    found = []
    for one in memories:
        start, half, end = one.resident[0], one.resident[len(one.resident) // 2], one.resident[-1]
        megabytes = ", ".join(f"{size / 1e6:.0f}" for size in (start, half, end))
        what = f"{one.subject}: growth of memory over the second half (MB at start, half, end: {megabytes})"
        found.append(Row(what, f"{one.requests:,} requests", spread([end / half - 1]), _MEMORY_GROWTH, least=False))
    return found
