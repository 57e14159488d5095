"""What people must hear of a run, though its gate may let the model pass."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def warnings_of(assessment: Mapping[str, Any], before: str) -> tuple[str, ...]:
    """One sentence each.

    The served model is worse than the run's own baseline beyond chance where the whole 95 % interval of its gain, on
    the test rows and by the metric that decides, lies below 0.

    Args:
        assessment: Of the served model.
        before: What the baseline is, such as `linear probe`.
    """
    found = assessment["gains"].get("probe")
    if found is None or found["high"] >= 0:
        return ()
    return (
        f"the served model is worse than this run's {before}, beyond chance: {found['metric']} {found['champion']:.4f} "
        f"-> {found['challenger']:.4f} on {found['rows']} test rows (gain {found['gain']:+.4f}, 95 % between "
        f"{found['low']:+.4f} and {found['high']:+.4f})",
    )
