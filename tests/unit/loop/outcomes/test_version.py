from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tuneloop.loop.outcomes.journal import Outcome, Said
from tuneloop.loop.outcomes.version import Maker, VersionDetectors
from tuneloop.plugins import default_manager


class Memory:
    """A journal of one version in memory."""

    def __init__(self) -> None:
        self.entries: list[Outcome] = []
        self.words: list[Said] = []

    def outcomes(self, version: str, after: int, limit: int) -> list[Outcome]:
        return [one for one in self.entries if one.seq > after][-limit:]

    def said(self) -> list[Said]:
        return self.words

    def hear(self, detector: str, direction: Any, seq: int) -> None:
        self.words.append(Said("1", detector, seq, direction, 0.0))

    def watched(self) -> VersionDetectors:
        plugins = default_manager()
        makers = [Maker(name, lambda name=name: plugins.create("detector", name)) for name in ("adwin", "page-hinkley")]
        return VersionDetectors("1", makers, self, self.hear)  # type: ignore[arg-type]


def words(memory: Memory) -> list[tuple[str, int, str]]:
    return sorted((one.detector, one.seq, one.direction) for one in memory.words)


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(1, 3000), max_size=4), st.integers(0, 1000))
def test_restarts_change_nothing(cuts: list[int], seed: int) -> None:
    """Whatever the places at which it is cut off and rebuilt, the same is said of the same outcomes."""
    random = np.random.default_rng(seed)
    shares = np.repeat([0.1, 0.5, 0.15, 0.7], 750)
    entries = [Outcome(1 + n, "1", float(error)) for n, error in enumerate(random.random(3000) < shares)]
    whole = Memory()
    whole.entries = entries
    whole.watched().rebuild()
    parted = Memory()
    last = 0
    for cut in [*sorted(cuts), 3000]:
        parted.entries = entries[:last]
        detectors = parted.watched()
        detectors.rebuild()
        detectors.feed(entries[last:cut])
        last = cut
    assert words(parted) == words(whole)
    assert {"rise"} <= {one.direction for one in whole.words}


def test_a_mean_after_a_change_is_that_of_what_follows() -> None:
    memory = Memory()
    detectors = memory.watched()
    detectors.feed(Outcome(n, "1", 0.0) for n in range(1, 2001))
    assert detectors.means()["adwin"] == 0
    for seq in range(2001, 2400):
        detectors.feed([Outcome(seq, "1", 1.0)])
        if memory.words:
            break
    assert memory.words[0].direction == "rise"
    risen = detectors.means()["adwin"]
    assert risen > 0.1
    detectors.feed([Outcome(seq + 1, "1", 0.0)])
    assert detectors.means()["adwin"] == risen
    detectors.feed(Outcome(n, "1", 0.0) for n in range(seq + 2, seq + 60))
    assert detectors.means()["adwin"] == 0


def test_one_that_cannot_be_made_is_off() -> None:
    def make() -> Any:
        raise RuntimeError("no library")

    journal: Any = SimpleNamespace(said=list, outcomes=lambda *_: [Outcome(1, "1", 1.0)])
    detectors = VersionDetectors("1", [Maker("away", make)], journal, lambda *_: None)
    detectors.rebuild()
    assert detectors.means() == {}
    assert detectors.faults() == {"away": "RuntimeError: no library"}
