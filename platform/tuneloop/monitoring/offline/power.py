"""How small a change a test would have seen: what an absence of drift is worth."""

from __future__ import annotations

import math

from tuneloop.api import MissingExtraError

SEEN = 0.8
"""The chance at which a change counts as one that would have been seen."""
LARGE_PSI = 0.25
"""By the common rule of thumb a large change; for a normal number half a standard deviation."""


def detectable_psi(rows: int, reference_rows: int, freedom: int, alpha: float) -> float:
    """The population stability index that a test at level `alpha` finds with the chance `SEEN`.

    `PSI / (1/N + 1/M)` of changed samples follows a noncentral chi-squared distribution around the true PSI, in the
    same scale.

    Raises:
        MissingExtraError: SciPy is not installed.
    """
    try:
        from scipy import optimize, stats  # type: ignore[import-untyped]
    except ImportError as error:
        raise MissingExtraError("the drift report", "scipy", "train") from error
    if not (rows and reference_rows and freedom):
        return math.inf
    limit = stats.chi2.isf(alpha, freedom)
    highest = 10 * limit + 100
    change = optimize.brentq(lambda value: stats.ncx2.sf(limit, freedom, value) - SEEN, 1e-9, highest)
    return float(change * (1 / rows + 1 / reference_rows))


def shift(psi: float) -> float:
    """The shift of a normal number, in its standard deviations, whose PSI this is: `PSI = shift ** 2`."""
    return math.sqrt(psi)
