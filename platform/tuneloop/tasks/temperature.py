"""Temperature: one number by which logits are divided, so that confidence is worth what it says.

C. Guo, G. Pleiss, Y. Sun, K. Weinberger, "On Calibration of Modern Neural Networks", ICML 2017.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuneloop.api import ABSENT, Arrays, Task

_APART = np.float32(2.0**-20)
"""The least distance of the highest logit to all others: softmax in float32 keeps it, so that no answer changes."""


def tempers(task: type[Task] | Task) -> bool:
    """Whether the answers of a task are the softmax of its logits; for others a temperature means nothing."""
    return task.loss == "cross_entropy" and task.judged_as in (None, "classification", "tagging")


def tempered(outputs: Arrays, temperature: float) -> Arrays:
    """The outputs with `logits` divided by the temperature.

    Logits become distances to the highest of their row or place, which softmax does not see, and the highest stays
    the highest: never does an answer change. Places that hold nothing stay as they are.

    Args:
        outputs: Of a model; `logits` is `float32 [n, k]` or `float32 [n, places, k]`.
        temperature: Above 0; 1 changes nothing.
    """
    if temperature == 1.0:
        return outputs
    logits = outputs["logits"]
    # `reduce`, as `max` goes through Python: this runs for every request.
    scaled: NDArray[Any] = logits - np.maximum.reduce(logits, axis=-1, keepdims=True)
    others = scaled < 0
    scaled /= np.float32(temperature)
    # Where two are the highest, both stay at 0.
    np.minimum(scaled, -_APART, out=scaled, where=others)
    if scaled.ndim > 2:
        scaled = np.where(logits > ABSENT / 2, scaled, logits)
    return {**outputs, "logits": scaled}
