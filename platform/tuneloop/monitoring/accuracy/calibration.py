"""From scores to probabilities: the calibration of a version, fitted on its holdout; NumPy alone applies it."""

from __future__ import annotations

from typing import Self

import numpy as np
import pydantic
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class Curve(pydantic.BaseModel):
    """A rising piecewise linear function, flat beyond its ends: an isotonic regression.

    Attributes:
        x: Scores, rising.
        y: Probabilities, one a score.
    """

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    x: tuple[float, ...]
    y: tuple[float, ...]

    @pydantic.model_validator(mode="after")
    def _check(self) -> Self:
        if not self.x or len(self.x) != len(self.y) or list(self.x) != sorted(self.x):
            raise ValueError(f"a curve has as many probabilities as rising scores: {self.x}, {self.y}")
        return self

    def __call__(self, scores: Floats) -> Floats:
        """The probability of each score, `float64 [n]`."""
        found: Floats = np.interp(scores, self.x, self.y)
        return found


class Calibration(pydantic.BaseModel):
    """What the scores of each class are worth, in the way of CBPE (NannyML).

    Attributes:
        classes: The labels, in the order of the model's output.
        curves: One a class; None: its scores are probabilities already. With two classes only the second one's counts.
    """

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    classes: tuple[str, ...] = pydantic.Field(min_length=2)
    curves: tuple[Curve | None, ...]

    @pydantic.model_validator(mode="after")
    def _check(self) -> Self:
        if len(self.curves) != len(self.classes):
            raise ValueError(f"there are {len(self.curves)} curves for {len(self.classes)} classes")
        return self

    def __call__(self, scores: NDArray[np.floating]) -> Floats:
        """Calibrated probabilities.

        Two classes: the second one's curve, and what it leaves to one. More: each class by its own curve, divided by
        their sum; where all are 0, every class is as likely.

        Args:
            scores: `float [n, classes]`, as the model gives them.

        Returns:
            `float64 [n, classes]`; every row sums to 1.
        """
        given: Floats = np.asarray(scores, dtype=np.float64)
        if len(self.classes) == 2:
            second = given[:, 1] if self.curves[1] is None else self.curves[1](given[:, 1])
            return np.stack([1.0 - second, second], axis=1)
        columns = [
            given[:, position] if curve is None else curve(given[:, position])
            for position, curve in enumerate(self.curves)
        ]
        found: Floats = np.stack(columns, axis=1)
        total = found.sum(axis=1, keepdims=True)
        even = np.full_like(found, 1 / len(columns))
        shares: Floats = np.divide(found, total, out=even, where=total != 0)
        return shares
