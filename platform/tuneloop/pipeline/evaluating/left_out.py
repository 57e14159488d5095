"""What a row is taken for by a model that has not seen it: class probabilities of rows that all were trained on."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tuneloop.pipeline.evaluating.temperature import likeliest

Floats = NDArray[np.float64]

_PENALTIES = tuple(10.0**power for power in range(-2, 5))
"""Of the squared weights, for features of spread 1; the one with the least error on rows left out is taken."""
_CERTAIN = 1e-9


def left_out_probabilities(features: NDArray[np.floating], labels: NDArray[np.integer], classes: int) -> Floats:
    """Class probabilities `float64 [n, classes]` of each row by a linear model fitted on all other rows.

    Ridge regression on the classes as 0 and 1 has its leave-one-out answers in closed form: `y - (y - f) / (1 - h)`,
    with `h` the diagonal of the hat matrix (D. Allen, Technometrics 16, 1974). They become probabilities by a softmax
    with the sharpness that makes the labels most likely. One decomposition of the features is all it costs.

    Args:
        features: `float [n, d]`.
        labels: Positions of the labels, `int [n]`, 0 to `classes`.
        classes: How many there are.
    """
    given = np.asarray(features, dtype=np.float64)
    given = given - given.mean(axis=0)
    spread = given.std(axis=0)
    given = given[:, spread > 0] / spread[spread > 0]
    truth = np.eye(classes)[labels]
    shares = truth.mean(axis=0)
    left, singular, _ = np.linalg.svd(given, full_matrices=False)
    within = left.T @ (truth - shares)
    best: Floats | None = None
    least = np.inf
    for penalty in _PENALTIES:
        weights = singular**2 / (singular**2 + penalty)
        fitted = shares + left @ (weights[:, None] * within)
        leverage = (left**2) @ weights + 1 / len(given)
        alone = truth - (truth - fitted) / np.maximum(1 - leverage, _CERTAIN)[:, None]
        error = float(((truth - alone) ** 2).mean())
        if error < least:
            best, least = alone, error
    assert best is not None
    return likeliest(best, labels)
