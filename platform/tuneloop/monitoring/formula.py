"""The figures the alert rules compute, in NumPy: PSI and its z score, and the Wilson upper bound.

Between two samples of one distribution, `PSI / (1/N + 1/M)` follows a chi-squared distribution with `bins - 1`
degrees of freedom. The cube root (Wilson-Hilferty) makes it a z score: one threshold fits every N, M and bins.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

CONFIDENCE_Z = 1.96
"""Of the two-sided 95 % interval."""


@dataclass(frozen=True, slots=True)
class Drift:
    """How far a window is from the reference.

    Attributes:
        psi: Population stability index.
        zscore: How surprising it is where nothing changed.
        rows: Values in the window.
    """

    psi: float
    zscore: float
    rows: float


def drift(counts: NDArray[Any], ratios: NDArray[Any], reference_rows: float) -> Drift | None:
    """Compare a window with its reference.

    Args:
        counts: Values in each bin of the window, `[bins]`; not necessarily whole.
        ratios: Reference shares, `[bins]`, all above 0.
        reference_rows: Rows behind the shares.

    Returns:
        None where the window is empty.
    """
    rows = float(counts.sum())
    if not rows > 0:
        return None
    psi = float(stability(counts, ratios))
    return Drift(psi=psi, zscore=zscore(psi, rows, reference_rows, len(counts) - 1), rows=rows)


def smoothed(counts: NDArray[Any]) -> NDArray[np.float64]:
    """Shares `(count + 0.5) / (rows + 0.5 bins)` of counts `[..., bins]`: all above 0, each set sums to 1."""
    shares: NDArray[np.float64] = (counts + 0.5) / (counts.sum(axis=-1, keepdims=True) + 0.5 * counts.shape[-1])
    return shares


def stability(counts: NDArray[Any], ratios: NDArray[Any]) -> NDArray[np.float64]:
    """The population stability index of counts `[..., bins]` against shares `[..., bins]`: `float64 [...]`."""
    shares = smoothed(counts)
    index: NDArray[np.float64] = ((shares - ratios) * np.log(shares / ratios)).sum(axis=-1)
    return index


def zscore(psi: float, rows: float, reference_rows: float, freedom: int) -> float:
    """The z score of a PSI between samples of `rows` and `reference_rows`, with `freedom` degrees of freedom."""
    chi2 = psi / (1 / rows + 1 / reference_rows)
    spread = 2 / (9 * freedom)
    return float(((chi2 / freedom) ** (1 / 3) - (1 - spread)) / math.sqrt(spread))


def wilson_upper(right: float, total: float, z: float = CONFIDENCE_Z) -> float:
    """The upper end of the Wilson interval of `right / total`; 1 where `total` is 0."""
    if not total > 0:
        return 1.0
    share = right / total
    root = math.sqrt(share * (1 - share) / total + z**2 / (4 * total**2))
    return (share + z**2 / (2 * total) + z * root) / (1 + z**2 / total)


def corrected(zscore: float, tests: int) -> float:
    """A limit of z for so many tests at once, with no more false alarms in all than `zscore` has in one.

    Of a normal variable the tail above `sqrt(z^2 + 2 ln(tests))` is less than that above `z` divided by `tests`
    (Mills' ratio falls), so this is Bonferroni's correction, slightly to the safe side, in what PromQL can compute.
    """
    return math.sqrt(zscore**2 + 2 * math.log(tests))
