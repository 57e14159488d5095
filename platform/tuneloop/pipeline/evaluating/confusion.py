"""What became of each class or label, counted."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuneloop.api import NO_PLACE, Predictions


def counted(predictions: Predictions, references: NDArray[Any]) -> dict[str, Any]:
    """Answers beside right answers, as JSON values; empty for values and texts.

    Args:
        predictions: Of all rows.
        references: Likewise, in the same space of labels.

    Returns:
        `labels`, and `counts` by right label (rows) and answer (columns). Where a row has any number of labels:
        `by_label`, of each one its name and the rows where it is right and given, missed, given wrongly, and neither.
    """
    if not predictions.labels:
        return {}
    if predictions.values.ndim == 2 and predictions.scores is not None and predictions.scores.ndim == 2:
        given, right = predictions.values == 1, references == 1
        cases = (given & right, ~given & right, given & ~right, ~given & ~right)
        rows = np.stack([case.sum(axis=0) for case in cases], axis=1).tolist()
        return {"by_label": [[name, *row] for name, row in zip(predictions.labels, rows, strict=True)]}
    size = len(predictions.labels)
    counts = np.zeros((size, size), dtype=np.int64)
    here = references != NO_PLACE
    np.add.at(counts, (references[here], predictions.values[here]), 1)
    return {"labels": list(predictions.labels), "counts": counts.tolist()}
