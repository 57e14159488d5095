"""The measurements of a run, picked by what is to be compared."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tests.bench.loads import Measurement
from tests.bench.numbers import spread


class Figures:
    """The measurements of a run, by round."""

    def __init__(self, measurements: Sequence[Measurement]) -> None:
        self.measurements = measurements

    def pick(self, workload: str, subject: str, concurrency: int, read: Callable[[Measurement], float]) -> list[float]:
        """One value a round, in order of the rounds; empty where this was not measured."""
        key = (workload, subject, concurrency)
        ones = [one for one in self.measurements if (one.workload, one.subject, one.concurrency) == key]
        return [read(one) for one in sorted(ones, key=lambda one: one.round)]

    def rates(self, workload: str, subject: str, concurrency: int) -> list[float]:
        """Requests a second."""
        return self.pick(workload, subject, concurrency, lambda one: one.rate)

    def subjects(self, workload: str) -> list[str]:
        """Servers, in the order they were named."""
        return list(dict.fromkeys(m.subject for m in self.measurements if m.workload == workload and m.concurrency))

    def concurrencies(self, workload: str) -> list[int]:
        """Of the servers, rising."""
        return sorted({m.concurrency for m in self.measurements if m.workload == workload and m.concurrency})

    def best_way(self, workload: str, matches: Callable[[str], bool]) -> str | None:
        """The fastest way to call the model in a process, of those whose name matches."""
        ways = {m.subject for m in self.measurements if m.workload == workload and not m.concurrency}
        named = sorted(one for one in ways if matches(one))
        return max(named, key=lambda one: spread(self.rates(workload, one, 0)).median, default=None)
