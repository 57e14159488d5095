"""Two ways to do the same work, one after the other, several times: the machine's moods fall on both."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from tests.bench.numbers import Spread, spread


@dataclass(frozen=True)
class Pair:
    """Processor seconds of both ways, and how often the second's time goes into the first's, round by round."""

    first: Spread
    second: Spread
    ratio: Spread


def compare(first: Callable[[], object], second: Callable[[], object], rounds: int) -> Pair:
    """Run both once to warm up, and then in turns; times are processor time of this process with all its threads."""
    first()
    second()
    times = [(_seconds(first), _seconds(second)) for _ in range(rounds)]
    return Pair(
        spread([one for one, _ in times]),
        spread([other for _, other in times]),
        spread([one / other for one, other in times]),
    )


def _seconds(work: Callable[[], object]) -> float:
    begun = time.process_time()
    work()
    return time.process_time() - begun
