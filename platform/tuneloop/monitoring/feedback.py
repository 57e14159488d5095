"""Labels that come back: checked, stored, joined with their prediction, and counted exactly once.

A counter cannot go down. A label that replaces an earlier one is counted as `corrected`, and the outcome counted first
stays; where the outcome turned, a second counter says so, and the rules take both together: see `accuracy.tally`. The
store holds the last label, which is the one retraining reads. For values, an answer counts as right if its absolute
error is at most the reference's tolerance; the squared error is summed beside it.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from tuneloop.api import RequestError, Task
from tuneloop.monitoring.accuracy.tally import Judged, LabelTally
from tuneloop.monitoring.label_changes import LabelChange
from tuneloop.monitoring.metrics import (
    BOTH,
    CHALLENGER_ONLY,
    CHAMPION_ONLY,
    CORRECT,
    CORRECTED,
    INVALID,
    NEITHER,
    WRONG,
    Metrics,
)
from tuneloop.monitoring.shadows import Compared, ShadowStore
from tuneloop.monitoring.store import Labelled, Prediction, PredictionStore

logger = logging.getLogger(__name__)

LONGEST_ID = 100
LARGEST_ERROR = 1e60
"""A larger one cannot be counted: sums of fourth powers would no longer be finite."""

_RIGHT = {(True, True): BOTH, (True, False): CHAMPION_ONLY, (False, True): CHALLENGER_ONLY, (False, False): NEITHER}

FeedbackStatus = Literal["new", "changed", "same", "orphaned", "unsampled", "refused"]


@dataclass(frozen=True, slots=True)
class FeedbackResult:
    """What became of one label. `reason` is filled where it was refused.

    `orphaned`: stored, and joined when its prediction arrives. `unsampled`: not stored, as its prediction is not.
    """

    id: str
    status: FeedbackStatus
    reason: str = ""


class Feedback:
    """The labels of one model. Thread safe.

    Args:
        store: Where predictions are.
        metrics: The collectors of this process.
        model: The `model` label.
        task: Judges answers.
        tolerance: `Reference.tolerance` of the version served.
        tally: Counts by class, size of the error and slice; None: only right and wrong are counted.
        takes: Whether the prediction of an id is stored at all; see `StorePolicy.takes`.
        clock: Unix seconds.
    """

    def __init__(
        self,
        store: PredictionStore,
        metrics: Metrics,
        model: str,
        task: Task,
        tolerance: float = 0.0,
        tally: LabelTally | None = None,
        *,
        takes: Callable[[str], bool] = lambda _: True,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._takes = takes
        self._store, self._metrics, self._model, self._clock = store, metrics, model, clock
        self._judge = (task, tolerance)
        self._tally = tally
        self._shadows = ShadowStore(store)
        metrics.labels_orphaned.labels(model)

    def use(self, task: Task, tolerance: float, tally: LabelTally | None = None) -> None:
        """Judge from now on with another version's task."""
        self._judge = (task, tolerance)
        self._tally = tally

    def add(self, items: Sequence[tuple[str, Any]]) -> list[FeedbackResult]:
        """Take labels by prediction id. The same label again changes nothing; another one replaces the earlier.

        Raises:
            SQLAlchemyError: The store cannot be reached; nothing was taken, send them again.
        """
        known = self._store.predictions(id_ for id_, _ in items if _valid_id(id_))
        reasons = [self._refusal(id_, label, known.get(id_)) for id_, label in items]
        # One that is known was stored under another share.
        unsampled = {id_ for id_, _ in items if _valid_id(id_) and id_ not in known and not self._takes(id_)}
        accepted = [
            item for item, reason in zip(items, reasons, strict=True) if not reason and item[0] not in unsampled
        ]
        changes = self._store.change_labels(accepted)
        states = iter(changes)
        results: list[FeedbackResult] = []
        for (id_, _), reason in zip(items, reasons, strict=True):
            if reason:
                results.append(FeedbackResult(str(id_)[:LONGEST_ID], "refused", reason))
                continue
            if id_ in unsampled:
                self._metrics.labels_unsampled.labels(self._model).inc()
                results.append(FeedbackResult(id_, "unsampled"))
                continue
            state: FeedbackStatus = next(states).state
            if state == "new" and id_ not in known:
                state = "orphaned"
                self._metrics.labels_orphaned.labels(self._model).inc()
            elif state == "changed" and (prediction := known.get(id_)) is not None:
                self._metrics.labels.labels(self._model, prediction.version, CORRECTED).inc()
            results.append(FeedbackResult(id_, state))
        self._correct(accepted, changes, known)
        self.join([id_ for id_, _ in accepted])
        return results

    def join(self, ids: Sequence[str] | None = None) -> int:
        """Count the labels whose prediction is there by now; each is counted once, by one worker.

        Call it with the ids of predictions just written, and without ids when a server starts.

        Returns:
            How many were counted.
        """
        pairs = self._store.claim(self._model, ids)
        self._count(pairs)
        self.compare(ids)
        return len(pairs)

    def compare(self, ids: Sequence[str] | None = None) -> int:
        """Count who was right, champion or shadow, where a label tells; each row is counted once, by one worker.

        Call it with the ids of shadow answers just stored; `join` does the rest.

        Returns:
            How many were counted.
        """
        found = self._shadows.claim(self._model, ids)
        for compared in found:
            self._count_shadow(compared)
        return len(found)

    def _refusal(self, id_: Any, label: Any, prediction: Prediction | None) -> str:
        if not _valid_id(id_):
            return f"an id is a text of 1 to {LONGEST_ID} printable ASCII characters"
        if label is None:
            return "there is no label"
        if prediction is None:
            return ""
        if prediction.model != self._model:
            return f"this id is of another model than {self._model!r}"
        try:
            error = self._judge[0].error(prediction.answer, label)
        except RequestError as refusal:
            return refusal.reason
        return "" if abs(error) <= LARGEST_ERROR else "it is too far from what was answered to be counted"

    def _count(self, pairs: Sequence[Labelled]) -> None:
        counted = []
        for pair in pairs:
            one = (self._model, pair.prediction.version)
            judged = self._judged(pair)
            if judged is None:
                self._metrics.labels.labels(*one, INVALID).inc()
                continue
            self._metrics.labels.labels(*one, CORRECT if judged.right else WRONG).inc()
            self._metrics.label_squared_error.labels(*one).inc(judged.error * judged.error)
            self._metrics.label_delay_seconds.labels(*one).observe(max(0.0, pair.labelled - pair.prediction.time))
            counted.append(judged)
        if self._tally is not None:
            self._tally.add(counted)

    def _correct(
        self, items: Sequence[tuple[str, Any]], changes: Sequence[LabelChange], known: Mapping[str, Prediction]
    ) -> None:
        """Take back what replaced labels had counted for, and count those that replaced them."""
        replaced = [
            (id_, label, change)
            for (id_, label), change in zip(items, changes, strict=True)
            if change.counted and change.before is not None
        ]
        # A prediction may have been stored, and its label counted, after `known` was read.
        late = self._store.predictions(id_ for id_, _, _ in replaced if id_ not in known)
        for id_, label, change in replaced:
            prediction = known.get(id_) or late.get(id_)
            if prediction is None or prediction.model != self._model:
                continue
            now = self._clock()
            before = self._judged(Labelled(prediction, json.loads(change.before or "null"), now))
            after = self._judged(Labelled(prediction, label, now))
            if before is None and after is not None:
                # What was counted is `invalid`; nobody claims the pair a second time.
                self._count([after.pair])
            elif before is not None and after is not None and self._tally is not None:
                self._tally.replace(before, after)

    def _judged(self, pair: Labelled) -> Judged | None:
        task, tolerance = self._judge
        try:
            error = task.error(pair.prediction.answer, pair.label)
        except RequestError as refusal:
            logger.warning("the label of prediction %r is not counted: %s", pair.prediction.id, refusal)
            return None
        except Exception:
            # A stranger's task may trip over one pair; the others were claimed with it, and nobody claims them again.
            logger.exception("the label of prediction %r is not counted", pair.prediction.id)
            return None
        if not abs(error) <= LARGEST_ERROR:
            logger.warning("the label of prediction %r is not counted: it is too far off", pair.prediction.id)
            return None
        return Judged(pair, error, abs(error) <= tolerance)

    def _count_shadow(self, compared: Compared) -> None:
        task, tolerance = self._judge
        champion, shadow = compared.pair.prediction, compared.shadow
        pair = (self._model, shadow.version, champion.version)
        try:
            errors = [task.error(answer, compared.pair.label) for answer in (champion.answer, shadow.answer)]
        except Exception:
            # The champion's own count says so already.
            return
        if not max(map(abs, errors)) <= LARGEST_ERROR:
            return
        right = (abs(errors[0]) <= tolerance, abs(errors[1]) <= tolerance)
        self._metrics.shadow_labels.labels(*pair, _RIGHT[right]).inc()
        for whose, error in zip((CHAMPION_ONLY, CHALLENGER_ONLY), errors, strict=True):
            self._metrics.shadow_squared_error.labels(*pair, whose).inc(error * error)


def _valid_id(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= LONGEST_ID and value.isascii() and value.isprintable()
