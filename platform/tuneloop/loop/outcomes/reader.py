"""Reads labels as they come, in a thread of the loop: into the journal, to the detectors, out as metrics."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Self

from tuneloop.api import Answer, Change, TuneloopError
from tuneloop.loop.outcomes.journal import PAGE, Arrival, Journal, Outcome, Place, Said
from tuneloop.loop.outcomes.version import Maker, VersionDetectors
from tuneloop.monitoring.metrics import DIRECTIONS, DetectorMetrics, detector_metrics

if TYPE_CHECKING:
    from tuneloop.config import Project
    from tuneloop.monitoring.store import PredictionStore
    from tuneloop.plugins import PluginManager

logger = logging.getLogger(__name__)

OVERLAP = 60.0
"""Seconds: a label may be seen so much later than it says, because its writer waited for others."""
WHOLE = 600.0
"""Seconds between two looks at all labels: one that came long before its prediction, or from a machine whose clock is
behind, is found by these alone."""
KEPT = 30 * 86_400.0
"""Seconds: changes that are older are not shown after a restart."""
_PATIENCE = 30.0
"""Seconds after a look that failed."""


class OutcomeReader:
    """The detectors of a project at work. Use it as a context manager, or call `look` by hand.

    Args:
        store: Where predictions and labels are.
        project: Names the model and its detectors.
        plugins: Bring the detectors.
        judge: Gives the error of an answer from 0 to 1, by version, answer and label; None where there is none.
        tick: Seconds between two looks.
        metrics: The collectors; None: those of this process.
        clock: Unix seconds.
    """

    def __init__(
        self,
        store: PredictionStore,
        project: Project,
        plugins: PluginManager,
        judge: Callable[[str, Answer, Any], float | None],
        *,
        tick: float = 2.0,
        metrics: DetectorMetrics | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._model, self._judge, self._tick, self._clock = project.name, judge, tick, clock
        self._store = store
        self._metrics = metrics or detector_metrics()
        self._makers = [
            Maker(name, partial(plugins.create, "detector", name, options))
            for name, options in project.monitor.detectors
        ]
        self._journal: Journal | None = None
        self._recalled = False
        self._versions: dict[str, VersionDetectors] = {}
        self._last: dict[tuple[str, str], Said] = {}
        self._off: set[tuple[str, str]] = set()
        self._unjudged: dict[str, float] = {}
        self._newest: Place | None = None
        self._whole_due = 0.0
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        """Look every tick, in a thread; not at all where the project names no detector."""
        if self._makers:
            self._thread = threading.Thread(target=self._run, name="tuneloop-outcomes", daemon=True)
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(30.0)

    def look(self) -> int:
        """Read every label that is new or corrected; gives their number.

        Raises:
            SQLAlchemyError: The store cannot be reached.
        """
        with self._lock:
            journal, now = self._open(), self._clock()
            whole = now >= self._whole_due
            after = None if whole or self._newest is None else (self._newest[0] - OVERLAP, "")
            read = 0
            while not self._stopping.is_set():
                arrivals = journal.arrivals(after)
                judged = self._judged(arrivals)
                if judged:
                    try:
                        self._take(*journal.enter(judged))
                    except Exception:
                        # What is in the journal does not arrive again, and a word may be on no record: at the next
                        # look all detectors are made anew, and read the journal as they do after a restart.
                        self._versions, self._recalled = {}, False
                        raise
                    read += len(judged)
                if arrivals:
                    after = arrivals[-1].place
                    self._newest = max(after, self._newest or after)
                if len(arrivals) < PAGE:
                    break
            if whole:
                journal.forget_erased(self._stopping.is_set)
                self._whole_due = now + WHOLE
            return read

    def status(self) -> list[dict[str, Any]]:
        """How each detector stands, as JSON values: its mean error, what it last said, and why it is off."""
        found = []
        for version, detectors in sorted(self._versions.items()):
            means, faults = detectors.means(), detectors.faults()
            for maker in self._makers:
                last = self._last.get((version, maker.name))
                found.append(
                    {
                        "version": version,
                        "detector": maker.name,
                        "outcomes": detectors.rows,
                        "mean": means.get(maker.name),
                        "changed": None if last is None else last.time,
                        "direction": None if last is None else last.direction,
                        "off": faults.get(maker.name),
                    }
                )
        return found

    def _run(self) -> None:
        wait = 0.0
        while not self._stopping.wait(wait):
            wait = self._tick
            try:
                self.look()
            except Exception:
                logger.exception("labels are read again in %g s", _PATIENCE)
                wait = max(self._tick, _PATIENCE)

    def _open(self) -> Journal:
        """The journal, and what an earlier process left: what was said, and versions that may have more to say."""
        journal = self._journal = self._journal or Journal(self._store, self._model)
        if not self._recalled:
            for said in journal.said(self._clock() - KEPT):
                self._note(said)
            for version in journal.recent_versions():
                self._of(version)
            self._recalled = True
        return journal

    def _judged(self, arrivals: Sequence[Arrival]) -> list[tuple[Arrival, float | None]]:
        """The arrivals with their errors. Those of a version whose artifact cannot be had wait for a later look."""
        found = []
        for one in arrivals:
            if self._unjudged.get(one.version, 0.0) > self._clock():
                continue
            try:
                found.append((one, self._judge(one.version, one.answer, one.label)))
            except TuneloopError as error:
                self._unjudged[one.version] = self._clock() + WHOLE / 2
                logger.warning("labels of version %s wait for %g s: %s", one.version, WHOLE, error)
        return found

    def _take(self, entered: Sequence[Outcome], corrected: set[str]) -> None:
        """Hand new entries to the detectors of their version, or have these read all again."""
        of_version: dict[str, list[Outcome]] = {version: [] for version in corrected}
        for outcome in entered:
            of_version.setdefault(outcome.version, []).append(outcome)
        for version, entries in of_version.items():
            counted = sum(1 for one in entries if one.error is not None)
            self._metrics.outcomes.labels(self._model, version).inc(counted)
        for version, entries in of_version.items():
            known = self._versions.get(version)
            if known is None:
                known = self._of(version)
            elif version in corrected:
                known.rebuild()
            else:
                known.feed(entries)
            self._show(known)

    def _of(self, version: str) -> VersionDetectors:
        """The detectors of a version that is new to this process; they have read what the journal holds."""
        assert self._journal is not None
        for maker in self._makers:
            for direction in DIRECTIONS:
                self._metrics.changes.labels(self._model, version, maker.name, direction)
            self._metrics.failures.labels(self._model, version, maker.name)
        detectors = VersionDetectors(version, self._makers, self._journal, partial(self._hear, version))
        self._versions[version] = detectors
        detectors.rebuild()
        self._show(detectors)
        return detectors

    def _hear(self, version: str, detector: str, direction: Change, seq: int) -> None:
        assert self._journal is not None
        said = Said(version, detector, seq, direction, self._clock())
        self._journal.say(said)
        self._note(said)
        self._metrics.changes.labels(self._model, version, detector, direction).inc()
        logger.info("detector %r: the error of version %s shows a %s at outcome %d", detector, version, direction, seq)

    def _note(self, said: Said) -> None:
        self._last[said.version, said.detector] = said
        self._metrics.last_change.labels(self._model, said.version, said.detector, said.direction).set(said.time)

    def _show(self, detectors: VersionDetectors) -> None:
        for name, mean in detectors.means().items():
            self._metrics.error_ratio.labels(self._model, detectors.version, name).set(mean)
        for name in detectors.faults():
            if (detectors.version, name) not in self._off:
                self._off.add((detectors.version, name))
                self._metrics.failures.labels(self._model, detectors.version, name).inc()
