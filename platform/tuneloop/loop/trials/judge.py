"""Whether a new version is worse than the champion: in errors, latency or right answers, and not by chance.

Each figure asks for both: the estimate exceeds the project's limit, and an exact test at a level tells the difference
from chance. A limit alone would end every second good rollout on a few rows; a test alone would end one over a loss
that nobody minds. Figures are looked at again and again, so look `k` tests at `ALPHA / (k (k + 1))`, each of the three
figures at a third of it: whatever the number of looks, an equal version is ended with a probability below `ALPHA`.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING, Literal

from tuneloop.loop.trials.exact import p_heads, p_more
from tuneloop.loop.trials.tally import Tally
from tuneloop.monitoring.accuracy.intervals import wilson
from tuneloop.pipeline.comparing.spending import level

if TYPE_CHECKING:
    from tuneloop.config import RolloutLimits

ALPHA = 0.01
"""Probability of ending a stage although the version is no worse, over all looks and figures."""
_FIGURES = 3
_QUANTILES = (0.95, 0.99)
_BEYOND = 5
"""Answers that must lie beyond a quantile: requests that waited for one hiccup together are hardly more than one."""

ERRORS, LATENCY, ACCURACY, AGREEMENT = "errors", "latency", "accuracy", "agreement"
NOT_TAKEN, NOT_LIVE, FEW_ROWS, BY_HAND, FAILED = "not-taken", "not-live", "too-few-rows", "by-hand", "step-failed"
REASONS = (ERRORS, LATENCY, ACCURACY, AGREEMENT, NOT_TAKEN, NOT_LIVE, FEW_ROWS, BY_HAND, FAILED)
"""Values of `reason` in `tuneloop_rollbacks_total`."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Why a version is not rolled out: one of `REASONS`, and a sentence with the figures."""

    reason: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Paired:
    """What a shadow and its champion answered to the same rows.

    Attributes:
        answered: Rows that both answered.
        agreed: Of these, those with the same answer.
        failed: Rows that the shadow could not answer.
        labels: Rows with a label.
        champion_only: Of these, those that only the champion had right.
        challenger_only: Of these, those that only the shadow had right.
    """

    answered: float = 0.0
    agreed: float = 0.0
    failed: float = 0.0
    labels: float = 0.0
    champion_only: float = 0.0
    challenger_only: float = 0.0

    @property
    def agreement(self) -> float | None:
        """Share of equal answers; None where there are none."""
        return self.agreed / self.answered if self.answered else None

    def said(self) -> str:
        """The figures in words."""
        words = [f"{self.answered:.0f} rows answered, {self.failed:.0f} failed"]
        if self.agreement is not None:
            words.append(f"{self.agreement:.1%} as the champion")
        if self.labels:
            words.append(
                f"of {self.labels:.0f} with a label {self.challenger_only:.0f} right where the champion was wrong, "
                f"{self.champion_only:.0f} wrong where it was right"
            )
        return ", ".join(words)


Latency = Literal["tail", "throughout", "none"]
"""What of latency is judged: the slowest answers; only where the median rose as much too; or nothing.

Two versions that answer at the same time share what else the machine does. One after the other they do not: where the
machine was busy for some seconds, the p95 of an equal version was 3.4 times that of the one before. A median rises only
where it is slower for half of the time, or for half of the rows.
"""


def worse(new: Tally, old: Tally, limits: RolloutLimits, look: int, latency: Latency = "tail") -> Finding | None:
    """What makes a version worse than the champion on requests of its own; None where nothing does.

    Args:
        new: How it did.
        old: How the champion did.
        limits: The project's.
        look: Which look at these figures it is, from 1.
        latency: What of latency is judged.
    """
    alpha = level(ALPHA, look) / _FIGURES
    return (
        _failing(new.failed, new.asked, old.failed, old.asked, limits, alpha)
        or (_slower(new, old, limits, alpha) if _judged(new, old, limits, latency) else None)
        or _less_right(new, old, limits, alpha)
    )


def worse_unseen(pair: Paired, limits: RolloutLimits, look: int) -> Finding | None:
    """As `worse`, for a shadow. Latency is not judged: a shadow is asked many rows at once, when there is time."""
    alpha = level(ALPHA, look) / _FIGURES
    asked = pair.answered + pair.failed
    found = _failing(pair.failed, asked, 0, asked, limits, alpha)
    if found is not None or not pair.labels:
        return found
    loss = (pair.champion_only - pair.challenger_only) / pair.labels
    p = p_heads(pair.champion_only, pair.champion_only + pair.challenger_only)
    if loss <= limits.accuracy_drop or p > alpha:
        return None
    return Finding(
        ACCURACY,
        f"of {pair.labels:.0f} rows with a label it had {pair.champion_only:.0f} wrong that the champion had right, "
        f"and {pair.challenger_only:.0f} right that it had wrong: a loss of {loss:.3f}, {limits.accuracy_drop:g} is "
        f"allowed ({_chance(p)})",
    )


def disagrees(pair: Paired, least: float, look: int) -> Finding | None:
    """Whether a shadow agrees with its champion less than asked for, and not by chance."""
    interval = wilson(pair.agreed, pair.answered, NormalDist().inv_cdf(1 - level(ALPHA, look)))
    if interval is None or interval.high >= least:
        return None
    said = f"{interval.value:.1%} of {pair.answered:.0f} answers agree with the champion's"
    return Finding(AGREEMENT, f"{said}, at most {interval.high:.1%} but for chance; {least:.1%} must")


def _failing(
    failed: float, asked: float, old_failed: float, old_asked: float, limits: RolloutLimits, alpha: float
) -> Finding | None:
    rate = failed / asked if asked else 0.0
    old = old_failed / old_asked if old_asked else 0.0
    if rate - old <= limits.error_rate or (p := p_more(failed, asked, old_failed, old_asked)) > alpha:
        return None
    return Finding(
        ERRORS,
        f"it failed on {failed:.0f} of {asked:.0f} requests ({rate:.2%}), the champion on {old_failed:.0f} of "
        f"{old_asked:.0f}; {limits.error_rate:.2%} more are allowed ({_chance(p)})",
    )


def _judged(new: Tally, old: Tally, limits: RolloutLimits, latency: Latency) -> bool:
    if latency != "throughout":
        return latency == "tail"
    mine, champions = new.quantile(0.5), old.quantile(0.5)
    return mine is not None and champions is not None and mine > limits.latency_ratio * champions


def _slower(new: Tally, old: Tally, limits: RolloutLimits, alpha: float) -> Finding | None:
    for share in _QUANTILES:
        mine, champions = new.quantile(share), old.quantile(share)
        few = min(new.answered, old.answered) * (1 - share) < _BEYOND
        if few or mine is None or not champions or mine <= limits.latency_ratio * champions:
            continue
        bound = old.bound_of(share)
        p = p_more(new.slower(bound), new.answered, old.slower(bound), old.answered)
        # Two quantiles are two tests.
        if p <= alpha / len(_QUANTILES):
            return Finding(
                LATENCY,
                f"its p{share * 100:.0f} is {mine * 1000:.3g} ms over {new.answered:.0f} requests, the champion's "
                f"{champions * 1000:.3g} ms over {old.answered:.0f}: {mine / champions:.1f} times as long, "
                f"{limits.latency_ratio:g} are allowed ({_chance(p)})",
            )
    return None


def _less_right(new: Tally, old: Tally, limits: RolloutLimits, alpha: float) -> Finding | None:
    if new.accuracy is None or old.accuracy is None or old.accuracy - new.accuracy <= limits.accuracy_drop:
        return None
    p = p_more(new.labels - new.right, new.labels, old.labels - old.right, old.labels)
    if p > alpha:
        return None
    return Finding(
        ACCURACY,
        f"{new.accuracy:.3f} of its {new.labels:.0f} answers with a label are right, of the champion's "
        f"{old.labels:.0f} {old.accuracy:.3f}: a loss of {old.accuracy - new.accuracy:.3f}, "
        f"{limits.accuracy_drop:g} is allowed ({_chance(p)})",
    )


def _chance(p: float) -> str:
    return f"by chance with probability {p:.1g}"
