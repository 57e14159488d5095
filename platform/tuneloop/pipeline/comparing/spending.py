"""Error probability spent over attempts: who tries often enough is right by luck at last, unless each try gets less.

Every challenger judged against one champion is an attempt at one question, "is it any better?", and attempt `k` is
tested at level `alpha / (k (k + 1))`. The sum over all attempts is `alpha (1 - 1/2 + 1/2 - 1/3 + ...) = alpha`, so by
the union bound the probability of even one false proof, however many attempts there are, stays below alpha. (Online
Bonferroni: D. Foster and R. Stine, alpha-investing, JRSS B 70, 2008; J. Tian and A. Ramdas, Online control of the
familywise error rate, Statistical Methods in Medical Research 30, 2021. Spending functions come from interim analyses
of trials: K. Lan and D. DeMets, Biometrika 70, 1983.) The first attempts get most of it: a loop that retrains for a
reason should succeed soon. A new champion is a new question, and the count begins anew.
"""

from __future__ import annotations


def level(alpha: float, attempt: int) -> float:
    """The level of one attempt.

    Args:
        alpha: Error probability of all attempts together.
        attempt: From 1.

    Raises:
        ValueError: The attempt is below 1.
    """
    if attempt < 1:
        raise ValueError(f"attempt {attempt}: attempts are counted from 1")
    return alpha / (attempt * (attempt + 1))
