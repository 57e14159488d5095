"""The detectors of one version: fed, rebuilt from the journal, and switched off where they raise."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from tuneloop.api import Change, Detector, PluginError
from tuneloop.loop.outcomes.journal import Journal, Outcome

logger = logging.getLogger(__name__)

T = TypeVar("T")

REPLAY = 100_000
"""Outcomes that are read again at most, the newest. A detector that saw no change in more begins with these."""

_SAYS = (None, "rise", "fall")
_SETTLED = 30
"""Outcomes after a change before its new mean is shown; until then it is the one that the change led to."""


@dataclass(frozen=True, slots=True)
class Maker:
    """Makes the instances of one detector that a project names."""

    name: str
    make: Callable[[], Detector]


class _Watched:
    """One detector at work; `start` is the entry behind which it began, `mean` its last one."""

    def __init__(self, maker: Maker, version: str) -> None:
        self.maker, self._version = maker, version
        self.start, self.mean, self.fault = 0, 0.0, ""
        self._detector: Detector | None = None
        self.begin(0)

    def begin(self, start: int) -> None:
        """Go on with a new instance, behind an entry of the journal."""
        self.start, self._rows = start, 0
        self._detector = self._guarded(self.maker.make)

    def update(self, outcome: Outcome) -> Change | None:
        """Read one outcome; one that is behind `start` already, or has no error, is passed over."""
        detector, error = self._detector, outcome.error
        if detector is None or error is None or outcome.seq <= self.start:
            return None
        self._rows += 1
        said = self._guarded(lambda: _word(detector.update(error)))
        if said is not None:
            self.mean = self._guarded(lambda: _finite(detector.mean())) or 0.0
            self.begin(outcome.seq)
        return said

    def look(self) -> None:
        """Note the mean."""
        detector = self._detector
        if detector is not None and (self.start == 0 or self._rows >= _SETTLED):
            self.mean = self._guarded(lambda: _finite(detector.mean())) or 0.0

    def _guarded(self, call: Callable[[], T]) -> T | None:
        """What a call into the plugin gives; where it raises, the detector is off until the loop starts again."""
        try:
            return call()
        except Exception as error:
            self._detector, self.fault = None, f"{type(error).__name__}: {error}"
            logger.exception("detector %r is switched off for version %s", self.maker.name, self._version)
            return None


class VersionDetectors:
    """All detectors of one version.

    Args:
        version: Whose outcomes they read.
        makers: One a detector.
        journal: Where the outcomes are, and where what is said is recorded.
        heard: Told each word as it is said: detector, direction, and the entry of the journal.
    """

    def __init__(
        self, version: str, makers: Sequence[Maker], journal: Journal, heard: Callable[[str, Change, int], object]
    ) -> None:
        self.version, self._journal, self._heard = version, journal, heard
        self._watched = [_Watched(maker, version) for maker in makers]
        self.rows = 0

    def rebuild(self) -> None:
        """Read the journal again, each detector from behind the last change it said."""
        last = {said.detector: said.seq for said in self._journal.said() if said.version == self.version}
        for one in self._watched:
            if not one.fault:
                one.begin(last.get(one.maker.name, 0))
        start = min((one.start for one in self._watched), default=0)
        entries = self._journal.outcomes(self.version, start, REPLAY)
        self.rows = 0
        self.feed(entries)

    def feed(self, entries: Iterable[Outcome]) -> None:
        """Read entries of the journal, in order."""
        for outcome in entries:
            self.rows += 1
            for one in self._watched:
                said = one.update(outcome)
                if said is not None:
                    self._heard(one.maker.name, said, outcome.seq)
        for one in self._watched:
            one.look()

    def means(self) -> dict[str, float]:
        """Detector to its mean error; those that are off are absent."""
        return {one.maker.name: one.mean for one in self._watched if not one.fault}

    def faults(self) -> dict[str, str]:
        """Detector to the error that switched it off."""
        return {one.maker.name: one.fault for one in self._watched if one.fault}


def _word(said: Change | None) -> Change | None:
    if said not in _SAYS:
        raise PluginError(f"update gave {said!r}; known: 'rise', 'fall' and None")
    return said


def _finite(mean: float) -> float:
    if not math.isfinite(mean):
        raise PluginError(f"mean gave {mean!r}; it must be a number from 0 to 1")
    return float(mean)
