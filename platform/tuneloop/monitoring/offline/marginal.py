"""The test of one signal: how far it moved, in the figures of the alert rules, and how surprising that is."""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tuneloop.monitoring.bins import CategoryBins, NumberBins
from tuneloop.monitoring.formula import drift, smoothed, stability
from tuneloop.monitoring.offline.correction import holm
from tuneloop.monitoring.offline.power import LARGE_PSI, detectable_psi
from tuneloop.monitoring.offline.samples import Sample, count, make_bins

Verdict = Literal["drift", "small", "stable", "unclear"]
"""`small`: no accident, but the PSI is below the limit. `unclear`: nothing found, and too few rows to find much."""

DRAWS = 9_999
"""Of the permutation test: the smallest p-value is 0.0001."""
_BATCH = 1_000


@dataclass(frozen=True, slots=True)
class SignalTest:
    """What was found about one signal.

    Attributes:
        label: The signal.
        kind: Number or category.
        bins: Names of the reference's bins, as `tuneloop_signal_observations_total` has them.
        reference: Reference rows in each bin.
        current: Current rows in each bin.
        psi: Population stability index over these bins; as the alert rules compute it.
        zscore: Its z score; as the alert rules compute it.
        pvalue: Of the test.
        adjusted: The p-value after Holm's correction over all signals.
        detectable: The PSI that a test at this level would have found four times in five.
        verdict: What follows.
    """

    label: str
    kind: Literal["number", "category"]
    bins: tuple[str, ...]
    reference: tuple[int, ...]
    current: tuple[int, ...]
    psi: float
    zscore: float
    pvalue: float
    adjusted: float = 1.0
    detectable: float = math.inf
    verdict: Verdict = "unclear"


def compare(sample: Sample, seed: int = 0, draws: int = DRAWS) -> SignalTest:
    """Test a number or a category.

    PSI and z are those of the alert rules, over bins made from the reference. The p-value is that of a permutation
    test of the same PSI over bins made from both samples together. Such bins do not know which sample a row came from,
    so the test is exact for any number of rows, where the chi-squared approximation behind z alarms too often once a
    category has few reference rows. Instead of shuffling rows, the counts are drawn from the distribution that
    shuffling gives them (multivariate hypergeometric).

    Args:
        sample: Both sides hold at least one row.
        seed: Of the draws, together with the label.
        draws: How many shuffles are looked at.
    """
    bins = make_bins(sample.label, "number" if sample.kind == "number" else "category", sample.reference)
    pooled = make_bins(sample.label, sample.kind, np.concatenate([sample.reference, sample.current]))
    counts = np.stack([count(pooled, sample.reference), count(pooled, sample.current)])
    generator = np.random.default_rng([seed, zlib.crc32(sample.label.encode("utf-8", "surrogatepass"))])
    pvalue = permutation_pvalue(counts[:, counts.sum(axis=0) > 0], generator, draws)
    return replace(compare_counts(bins, sample.current), pvalue=pvalue)


def compare_counts(bins: NumberBins | CategoryBins, values: NDArray[Any]) -> SignalTest:
    """Test current values against the counts of a reference whose rows are not at hand; the p-value is that of z."""
    current = count(bins, values)
    reference_rows = sum(bins.counts)
    found = drift(current, bins.ratios, reference_rows)
    if found is None:
        raise ValueError(f"signal {bins.label!r} has no current rows")
    return SignalTest(
        bins.label,
        bins.kind,
        bins.names,
        bins.counts,
        tuple(int(number) for number in current),
        found.psi,
        found.zscore,
        math.erfc(found.zscore / math.sqrt(2)) / 2,
    )


def permutation_pvalue(counts: NDArray[np.int64], generator: np.random.Generator, draws: int = DRAWS) -> float:
    """How often shuffled rows give a PSI at least as large; `counts` is `[2, bins]`, no bin empty."""
    both, rows = counts.sum(axis=0), int(counts[1].sum())
    found = stability(counts[1], smoothed(counts[0]))
    reached = 0
    for start in range(0, draws, _BATCH):
        size = min(_BATCH, draws - start)
        shuffled = generator.multivariate_hypergeometric(both, rows, size=size, method="marginals")
        # Equal tables can differ in the last bit.
        reached += int((stability(shuffled, smoothed(both - shuffled)) >= found * (1 - 1e-9) - 1e-12).sum())
    return (1 + reached) / (1 + draws)


def judge(tests: list[SignalTest], alpha: float, psi: float) -> tuple[SignalTest, ...]:
    """Correct the p-values together and say what follows; the most surprising first.

    Args:
        tests: All signals that were tested.
        alpha: The chance of any false alarm among them.
        psi: A change with a smaller PSI is no drift, however certain.
    """
    judged = []
    for test, adjusted in zip(tests, holm([test.pvalue for test in tests]), strict=True):
        filled = sum(a + b > 0 for a, b in zip(test.reference, test.current, strict=True))
        rows, reference_rows = sum(test.current), sum(test.reference)
        detectable = detectable_psi(rows, reference_rows, max(filled - 1, 1), alpha / len(tests))
        verdict = _verdict(test.psi, adjusted, detectable, alpha, psi)
        judged.append(replace(test, adjusted=adjusted, detectable=detectable, verdict=verdict))
    return tuple(sorted(judged, key=lambda test: (test.adjusted, -test.zscore, test.label)))


def _verdict(psi: float, adjusted: float, detectable: float, alpha: float, least: float) -> Verdict:
    if adjusted <= alpha:
        return "drift" if psi > least else "small"
    return "unclear" if detectable > LARGE_PSI else "stable"
