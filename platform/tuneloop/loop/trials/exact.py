"""Exact tests: whether one share is larger than another, or chance makes it look so. For any number of trials."""

from __future__ import annotations

import math

_NEGLIGIBLE = 1e-17


def p_more(hits: float, trials: float, base_hits: float, base_trials: float) -> float:
    """The one-sided p value of `hits` of `trials` being more than `base_hits` of `base_trials`.

    With all hits together given, the hits of the first group follow a hypergeometric distribution where both groups
    have one rate (R. A. Fisher, Statistical Methods for Research Workers, 5th ed., section 21.02).

    Returns:
        1 where a group is empty.
    """
    a, n1, b, n2 = round(hits), round(trials), round(base_hits), round(base_trials)
    if not 0 <= a <= n1 or not 0 <= b <= n2:
        raise ValueError(f"hits lie between 0 and the trials: {a} of {n1}, {b} of {n2}")
    most = min(a + b, n1)
    total = 0.0
    whole = _ln_choose(n1 + n2, a + b)
    for hit in range(a, most + 1):
        term = math.exp(_ln_choose(n1, hit) + _ln_choose(n2, a + b - hit) - whole)
        total += term
        # Beyond the mode the terms fall faster and faster.
        if hit * (n1 + n2) > (a + b) * n1 and term < _NEGLIGIBLE * total:
            break
    return min(1.0, total)


def p_heads(heads: float, throws: float) -> float:
    """The probability of at least so many heads in throws of a fair coin.

    With the rows on which two versions differ as throws, and those that one had right as heads, it is the one-sided p
    value of the exact form of McNemar's test (Q. McNemar, Psychometrika 12, 1947).
    """
    k, n = round(heads), round(throws)
    if not 0 <= k <= n:
        raise ValueError(f"heads lie between 0 and the throws: {k} of {n}")
    total = 0.0
    for head in range(k, n + 1):
        term = math.exp(_ln_choose(n, head) - n * math.log(2))
        total += term
        if 2 * head > n and term < _NEGLIGIBLE * total:
            break
    return min(1.0, total)


def _ln_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
