"""Challenger against champion on the same rows: the difference of a metric, and how sure it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tuneloop.api import Predictions
from tuneloop.pipeline.scoring import Scorer

if TYPE_CHECKING:
    from typing import Any

_DRAWS = 200
_SEED = 7


@dataclass(frozen=True, slots=True)
class Comparison:
    """A metric of both models on the same rows.

    Attributes:
        metric: Its name.
        champion: The champion's value.
        challenger: The challenger's value.
        gain: How much better the challenger is, in the metric's unit; negative: worse.
        low: Lower end of the gain's 95 % interval (paired bootstrap).
        high: Upper end.
        rows: The number of rows.
    """

    metric: str
    champion: float
    challenger: float
    gain: float
    low: float
    high: float
    rows: int

    def __str__(self) -> str:
        return (
            f"{self.metric} {self.champion:.4f} -> {self.challenger:.4f} on {self.rows} rows "
            f"(gain {self.gain:+.4f}, 95 % between {self.low:+.4f} and {self.high:+.4f})"
        )


def compare(
    scorer: Scorer,
    name: str,
    champion: tuple[Predictions, NDArray[Any]],
    challenger: tuple[Predictions, NDArray[Any]],
) -> Comparison:
    """Compare two models' predictions, each with the references in its own label space.

    Args:
        scorer: Knows the metric.
        name: The metric.
        champion: Its predictions and references.
        challenger: The same rows, in the same order.
    """
    metric = scorer.metrics[name]
    sign = 1.0 if metric.maximize else -1.0

    def value(pair: tuple[Predictions, NDArray[Any]], at: NDArray[np.int64]) -> float:
        predictions, references = pair
        scores = predictions.scores[at] if predictions.scores is not None else None
        return metric.compute(Predictions(predictions.values[at], scores, predictions.labels), references[at])

    rows = len(challenger[1])
    everything = np.arange(rows)
    old, new = value(champion, everything), value(challenger, everything)
    generator = np.random.default_rng(_SEED)
    gains = []
    for _ in range(_DRAWS):
        at = generator.integers(0, rows, rows)
        gains.append(sign * (value(challenger, at) - value(champion, at)))
    finite = np.array(gains)[np.isfinite(gains)]
    low, high = np.quantile(finite, [0.025, 0.975]) if len(finite) else (float("nan"),) * 2
    return Comparison(name, old, new, sign * (new - old), float(low), float(high), rows)
