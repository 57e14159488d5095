"""The whole comparison: every signal alone, all together, and one verdict."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from tuneloop.api import DataError
from tuneloop.monitoring.offline.joint import LEAST_ROWS, JointTest, joint_test
from tuneloop.monitoring.offline.marginal import DRAWS, SignalTest, compare, judge
from tuneloop.monitoring.offline.samples import Sample

Outcome = Literal["drift", "stable", "unclear"]


@dataclass(frozen=True, slots=True)
class Settings:
    """How strict the comparison is.

    Attributes:
        alpha: The chance of a false alarm of the whole comparison. Where all signals are tested together too, that
            test gets half of it, and the signals share the other half.
        psi: A signal that changed by less is no drift, however certain: the `monitor.psi` of a project.
        permutations: Most shuffles of the joint test; 0: it is left out.
        joint_rows: Rows of each side that the joint test uses.
        telling: Current rows to name.
        seed: Of everything drawn.
    """

    alpha: float = 0.05
    psi: float = 0.05
    permutations: int = 99
    joint_rows: int = 1000
    telling: int = 10
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Study:
    """What was found.

    Attributes:
        outcome: `drift`; or `stable`; or `unclear`, where nothing was found in too few rows to find much.
        rows: Reference and current rows.
        signals: The test of each signal, the most surprising first.
        joint: The test of all together; None where it was left out.
        without_joint: Why it was left out.
        changes: Changes that need no test, such as a column that is gone.
        settings: How strict it was.
    """

    outcome: Outcome
    rows: tuple[int, int]
    signals: tuple[SignalTest, ...]
    joint: JointTest | None
    without_joint: str
    changes: tuple[str, ...]
    settings: Settings

    @property
    def joint_drift(self) -> bool:
        """Whether the joint test is significant."""
        return self.joint is not None and self.joint.pvalue <= self.settings.alpha / 2


def study(
    samples: Sequence[Sample],
    *,
    settings: Settings | None = None,
    changes: Sequence[str] = (),
    told: Callable[[str], None] = lambda _: None,
) -> Study:
    """Compare samples.

    Args:
        samples: Of equal length on each side.
        settings: How strict.
        changes: What is known to have changed already; it counts as drift.
        told: Hears what is being done.

    Raises:
        DataError: One side has no rows.
        MissingExtraError: scikit-learn or SciPy is not installed.
    """
    chosen = settings or Settings()
    rows = (len(samples[0].reference), len(samples[0].current))
    if not all(rows):
        raise DataError(f"there is nothing to compare: {rows[0]} reference rows and {rows[1]} current rows")
    reason = _no_joint(rows, chosen)
    alpha = chosen.alpha if reason else chosen.alpha / 2
    told(f"testing {len(samples)} signals on {rows[0]} and {rows[1]} rows")
    # The smallest p-value must pass Holm's correction, however many signals there are.
    draws = max(DRAWS, math.ceil(4 * len(samples) / alpha))
    signals = judge([compare(sample.measured(), chosen.seed, draws) for sample in samples], alpha, chosen.psi)
    joint = None
    if not reason:
        told(f"testing all signals together, with up to {chosen.permutations} permutations")
        joint = joint_test(
            samples,
            permutations=chosen.permutations,
            most_rows=chosen.joint_rows,
            telling=chosen.telling,
            seed=chosen.seed,
        )
    return conclude(rows, signals, joint, reason, changes, chosen)


def conclude(
    rows: tuple[int, int],
    signals: tuple[SignalTest, ...],
    joint: JointTest | None,
    without_joint: str,
    changes: Sequence[str],
    settings: Settings,
) -> Study:
    """One verdict of all tests."""
    found = Study("unclear", rows, signals, joint, without_joint, tuple(changes), settings)
    outcome: Outcome = "stable"
    if changes or found.joint_drift or any(test.verdict == "drift" for test in signals):
        outcome = "drift"
    elif any(test.verdict == "unclear" for test in signals):
        outcome = "unclear"
    return Study(outcome, rows, signals, joint, without_joint, tuple(changes), settings)


def _no_joint(rows: tuple[int, int], settings: Settings) -> str:
    if not settings.permutations:
        return "it was not asked for"
    if 1 / (settings.permutations + 1) > settings.alpha / 2:
        least = math.ceil(2 / settings.alpha) - 1
        return f"{settings.permutations} permutations cannot reach the level {settings.alpha / 2:g}; ask for {least}"
    if min(rows) < LEAST_ROWS:
        return f"it needs {LEAST_ROWS} rows on each side"
    return ""
