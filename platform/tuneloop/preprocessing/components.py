"""Principal components: many numbers of a table to few that vary most."""

from __future__ import annotations

from typing import Self

import numpy as np
import pydantic
from numpy.typing import NDArray

from tuneloop.api import DataError


class Components(pydantic.BaseModel):
    """Directions of largest variance, from the training rows (Pearson 1901; by singular value decomposition).

    Attributes:
        center: The mean of each scaled number, `[n]`.
        directions: One row a component, `[k, n]`, orthonormal.
        spread: The standard deviation along each, `[k]`: components are divided by it.
        share: Of the variance that the components hold together.
    """

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    center: tuple[float, ...]
    directions: tuple[tuple[float, ...], ...]
    spread: tuple[float, ...]
    share: float

    @classmethod
    def fit(cls, values: NDArray[np.float64], wanted: int | float) -> Self:
        """Find them.

        Args:
            values: Scaled numbers `[rows, n]`, none missing.
            wanted: How many; or below 1, the share of the variance that they hold at least.

        Raises:
            DataError: There are fewer columns than components wanted, or nothing varies.
        """
        rows, columns = values.shape
        if wanted >= 1 and wanted > min(rows, columns):
            raise DataError(
                f"{wanted:g} components of {columns} numeric columns in {rows} rows: give at most "
                f"{min(rows, columns)}, or a share of the variance below 1"
            )
        center = values.mean(axis=0)
        _, singular, directions = np.linalg.svd(values - center, full_matrices=False)
        variances = singular**2 / max(1, rows)
        total = float(variances.sum())
        # Equal values differ from their mean by the rounding.
        if total <= 1e-24 * float((values**2).mean(axis=0).sum()):
            raise DataError("no numeric column varies, so that there are no principal components")
        held = np.cumsum(variances) / total
        count = int(wanted) if wanted >= 1 else int(np.searchsorted(held, wanted - 1e-12)) + 1
        # Directions without variance would be divided by zero.
        count = min(count, int((variances > total * 1e-12).sum()))
        chosen = directions[:count]
        # The sign of a direction is arbitrary: its largest part is positive here, so that equal rows give equal models.
        signs = np.sign(chosen[np.arange(count), np.abs(chosen).argmax(axis=1)])
        return cls(
            center=tuple(center.tolist()),
            directions=tuple(tuple(row) for row in (chosen * signs[:, None]).tolist()),
            spread=tuple(np.sqrt(variances[:count]).tolist()),
            share=float(held[count - 1]),
        )

    def of(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Scaled numbers `[rows, n]` as components `[rows, k]`."""
        projected: NDArray[np.float64] = (values - np.array(self.center)) @ np.array(self.directions).T
        projected /= np.array(self.spread)
        return projected
