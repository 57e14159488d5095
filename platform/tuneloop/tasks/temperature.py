"""Temperature: one number by which logits are divided, so that confidence is worth what it says.

C. Guo, G. Pleiss, Y. Sun, K. Weinberger, "On Calibration of Modern Neural Networks", ICML 2017.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuneloop.api import ABSENT, Arrays, Task
from tuneloop.tasks.multi_label import sigmoid

_APART = np.float32(2.0**-20)
"""The least distance of the highest logit to all others, and of the logit of a label that does not apply to 0: softmax
and the logistic function keep it in float32, so that no answer changes."""


def tempers(task: type[Task] | Task) -> bool:
    """Whether the probabilities of a task are made of its logits; for others a temperature means nothing."""
    if decides_apart(task):
        return True
    return task.loss == "cross_entropy" and task.judged_as in (None, "classification", "tagging")


def decides_apart(task: type[Task] | Task) -> bool:
    """Whether each logit is a decision by itself, from a probability of one half: a row has any number of labels."""
    return task.loss == "binary_cross_entropy" and task.judged_as == "multi-label"


def tempered(outputs: Arrays, temperature: float, *, apart: bool = False) -> Arrays:
    """The outputs with `logits` divided by the temperature.

    Logits become distances to the highest of their row or place, which softmax does not see, and the highest stays
    the highest: never does an answer change. Places that hold nothing stay as they are. Logits that are decided apart
    keep their side of 0, so that the same labels apply.

    Args:
        outputs: Of a model; `logits` is `float32 [n, k]` or `float32 [n, places, k]`.
        temperature: Above 0; 1 changes nothing.
        apart: Whether each logit is a decision by itself; see `decides_apart`.
    """
    if temperature == 1.0:
        return outputs
    logits = outputs["logits"]
    if apart:
        return {**outputs, "logits": _on_their_side(logits, temperature)}
    # `reduce`, as `max` goes through Python: this runs for every request.
    scaled: NDArray[Any] = logits - np.maximum.reduce(logits, axis=-1, keepdims=True)
    others = scaled < 0
    scaled /= np.float32(temperature)
    # Where two are the highest, both stay at 0.
    np.minimum(scaled, -_APART, out=scaled, where=others)
    if scaled.ndim > 2:
        scaled = np.where(logits > ABSENT / 2, scaled, logits)
    return {**outputs, "logits": scaled}


def _on_their_side(logits: NDArray[Any], temperature: float) -> NDArray[Any]:
    scaled: NDArray[Any] = logits / np.float32(temperature)
    applies = sigmoid(logits) >= 0.5
    # Close to 0 the logistic function is one half in float32 on both sides: there, division would move a decision.
    np.maximum(scaled, 0, out=scaled, where=applies)
    np.minimum(scaled, -_APART, out=scaled, where=~applies)
    return scaled
