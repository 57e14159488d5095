"""What a model's scores are worth on its holdout: isotonic curves where they help, as NannyML decides it for CBPE."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuneloop.monitoring.accuracy.calibration import Calibration, Curve

Floats = NDArray[np.float64]

_SPLITS, _TEST_SHARE, _SEED, _BINS = 10, 0.1, 42, 10
_CLEAR = 0.999
"""Above this area under the ROC curve there is nothing to calibrate."""
_LEAST_ROWS = 20
"""Fewer rows give test parts with too few for two bins."""


def fit_calibration(labels: tuple[str, ...], scores: NDArray[np.floating], truth: NDArray[np.integer]) -> Calibration:
    """The calibration of a model on rows it was not trained on.

    Args:
        labels: In the order of the scores.
        scores: `float [n, classes]`.
        truth: Positions of the right labels, `int [n]`; -1 for a label that the model does not know.
    """
    given = np.asarray(scores, dtype=np.float64)
    if len(labels) == 2:
        return Calibration(classes=labels, curves=(None, _curve(given[:, 1], truth == 1)))
    curves = tuple(_curve(given[:, position], truth == position) for position in range(len(labels)))
    return Calibration(classes=labels, curves=curves)


def _curve(scores: Floats, right: NDArray[np.bool_]) -> Curve | None:
    """The curve of one class against the rest; None where its scores are better left as they are."""
    truth = right.astype(np.int64)
    if not needs_calibration(scores, truth):
        return None
    fitted = _isotonic().fit(scores, truth)
    return Curve(x=tuple(fitted.X_thresholds_.tolist()), y=tuple(fitted.y_thresholds_.tolist()))


def needs_calibration(scores: Floats, truth: NDArray[np.int64]) -> bool:
    """Whether isotonic curves lower the calibration error on rows they were not fitted on.

    Ten times a curve is fitted on nine tenths and applied to the rest; the expected calibration error of all those
    rests together decides, in bins of equal numbers of rows.

    Args:
        scores: `float64 [n]`.
        truth: 0 or 1, `int64 [n]`.
    """
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import StratifiedShuffleSplit

    seen = np.bincount(truth, minlength=2)
    if len(scores) < _LEAST_ROWS or seen.min() < 2 or roc_auc_score(truth, scores) > _CLEAR:
        return False
    splits = StratifiedShuffleSplit(n_splits=_SPLITS, test_size=_TEST_SHARE, random_state=_SEED)
    tested, before, after = [], [], []
    for train, test in splits.split(scores, truth):
        fitted = _isotonic().fit(scores[train], truth[train])
        tested.append(truth[test])
        before.append(scores[test])
        after.append(fitted.predict(scores[test]))
    known = np.concatenate(tested)
    return _calibration_error(known, np.concatenate(before)) > _calibration_error(known, np.concatenate(after))


def _isotonic() -> Any:
    from sklearn.isotonic import IsotonicRegression

    return IsotonicRegression(out_of_bounds="clip", increasing=True)


def _calibration_error(truth: NDArray[np.int64], scores: Floats) -> float:
    """The expected calibration error in bins of equal numbers of rows; the last bin takes what is left over."""
    order = np.argsort(scores)
    bins = _BINS if len(scores) > 2 * _BINS else len(scores) // 2
    edges = np.arange(0, len(scores) + 1, len(scores) // bins)
    edges[-1] = len(scores)
    parts = zip(np.split(truth[order], edges[1:-1]), np.split(scores[order], edges[1:-1]), strict=True)
    return float(sum(len(one) / len(scores) * abs(given.mean() - one.mean()) for one, given in parts))
