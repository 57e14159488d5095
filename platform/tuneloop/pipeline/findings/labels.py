"""Labels that are probably wrong, by confident learning.

C. Northcutt, L. Jiang, I. Chuang, "Confident Learning: Estimating Uncertainty in Dataset Labels", JAIR 70, 2021, as
`cleanlab` implements it: classes have thresholds of their own, so that a model that is unsure of a class does not
accuse all of it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tuneloop.api import MissingExtraError

_LEAST_ROWS = 30


def doubtful_labels(labels: NDArray[np.integer], probabilities: NDArray[np.floating]) -> NDArray[np.int64]:
    """Positions of the labels that are probably wrong, the most doubtful first.

    Args:
        labels: Positions of the given labels, `int [n]`.
        probabilities: Of each class, `float [n, classes]`, by a model that was not trained on the row.

    Raises:
        MissingExtraError: `cleanlab` is not installed.
    """
    present, given = np.unique(labels, return_inverse=True)
    if len(labels) < _LEAST_ROWS or len(present) < 2:
        return np.zeros(0, dtype=np.int64)
    try:
        from cleanlab.filter import find_label_issues
    except ImportError as error:
        raise MissingExtraError("the search for wrong labels", error.name or "cleanlab", "train") from error
    # Classes that no label names would make thresholds of nothing.
    kept = np.maximum(np.asarray(probabilities, dtype=np.float64)[:, present], 1e-12)
    kept /= kept.sum(axis=1, keepdims=True)
    found = find_label_issues(given, kept, return_indices_ranked_by="self_confidence", n_jobs=1)
    return np.asarray(found, dtype=np.int64)
