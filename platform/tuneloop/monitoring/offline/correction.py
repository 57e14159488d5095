"""Many tests at once: Holm's correction.

Holm keeps the chance of any false alarm below alpha whatever the dependence between the tests. Signals of one model
depend on each other in every way (length and confidence, projections of one embedding), so the weaker promise of
Benjamini-Hochberg, a small share of false ones among those named, would rest on an assumption that does not hold. And
a pipeline that stops on drift asks the question that Holm answers: is there any at all.
"""

from __future__ import annotations

from collections.abc import Sequence


def holm(pvalues: Sequence[float]) -> tuple[float, ...]:
    """Adjusted p-values, in the order given: a test is significant at alpha where its adjusted value is at most alpha.

    Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 6 (1979).
    """
    total = len(pvalues)
    adjusted = [1.0] * total
    largest = 0.0
    for place, position in enumerate(sorted(range(total), key=lambda i: pvalues[i])):
        largest = max(largest, min(1.0, (total - place) * pvalues[position]))
        adjusted[position] = largest
    return tuple(adjusted)
