"""The estimate of accuracy while serving: two sums, added to once a second, far from any request."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np

from tuneloop.api import SignalBatch, Task
from tuneloop.monitoring.accuracy.calibration import Calibration

if TYPE_CHECKING:
    from tuneloop.monitoring.metrics import Metrics

logger = logging.getLogger(__name__)


class EstimateCounter:
    """Adds up how right the answers of one version probably are: CBPE's accuracy as two counters.

    Args:
        calibration: Of the version.
        task: Gives the scores of a batch.
        metrics: The collectors of this process.
        model: The `model` label.
        version: The `version` label.
    """

    def __init__(self, calibration: Calibration, task: Task, metrics: Metrics, model: str, version: str) -> None:
        self._calibration, self._task, self._usable = calibration, task, True
        self._correct = metrics.estimated_correct.labels(model, version)
        self._rows = metrics.estimated_rows.labels(model, version)

    def observe(self, batch: SignalBatch) -> None:
        """Count a batch that was answered. Never raises: an estimate that fails is switched off."""
        if not self._usable or not batch.rows:
            return
        try:
            self._rows.inc(self._add(batch))
        except Exception:
            self._usable = False
            logger.exception("accuracy is not estimated any more")

    def _add(self, batch: SignalBatch) -> int:
        predictions = self._task.predictions(batch.outputs)
        if predictions.scores is None:
            return 0
        probabilities = self._calibration(predictions.scores)
        self._correct.inc(float(probabilities[np.arange(len(probabilities)), predictions.values].sum()))
        return len(probabilities)
