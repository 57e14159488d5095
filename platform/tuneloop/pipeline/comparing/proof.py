"""What the comparisons with the champion say: checks of the gate, each with its figures and what it would have taken.

Two burdens of proof. `prove: worse` leaves it with whoever speaks against the challenger: overall the estimate decides,
more likely than not, and a slice counts only where a test at alpha, corrected by Holm over the slices, proves it worse
than its margin. It is the default, as a holdout of a few hundred rows can prove no more: with 6 % of rows answered
differently and a margin of 0.02 an equal challenger is proven not worse in 17, 74 and 100 % of cases on 200, 1,000 and
5,000 rows, and passes by estimate in 91 % and more; one that is worse by 0.05 passes by estimate in 12, 0.1 and 0 %
(`make bench-gate`). What the estimate does not guard against is a loss of about the margin, which passes every second
time, and many small ones in a row: absolute thresholds (`gate.require`) end those. `prove: not-worse` leaves it
with the challenger: a loss above the margin must be ruled out (non-inferiority), overall and in every slice; as all
must pass, the probability of a false one is bounded without correction (R. Berger, Technometrics 24, 1982).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

from tuneloop.pipeline.comparing.comparison import Comparison
from tuneloop.pipeline.comparing.paired import holm
from tuneloop.pipeline.comparing.spending import level

if TYPE_CHECKING:
    from tuneloop.config.project import Proof

_NORMAL = NormalDist()
_POWER = 0.8
"""With which probability a holdout "would do"."""
_NAMED = 3
_MOST_ROWS = 1e9


@dataclass(frozen=True, slots=True)
class Check:
    """One check of the gate: whether it passed, and a sentence with the figures."""

    name: str
    passed: bool
    text: str

    def as_json(self) -> dict[str, Any]:
        """The fields as JSON values."""
        return {"name": self.name, "passed": self.passed, "text": self.text}


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of a challenger: the project's proof and margin, and the number of the attempt, from 1."""

    proof: Proof
    margin: float
    attempt: int

    @property
    def level(self) -> float:
        """The level of this attempt's proofs."""
        return level(self.proof.alpha, self.attempt)

    def said(self) -> str:
        """The level in words."""
        return f"at level {self.level:.2g} (attempt {self.attempt} against this champion)"


def not_worse(question: Question, where: str, found: Comparison) -> Check:
    """The challenger may lose no more than the margin."""
    margin, bound = question.margin, found.known.lower(question.level)
    said = f"against the champion on {where}: {found}; it may lose {margin:g}"
    name = f"champion {where}"
    if question.proof.prove == "worse":
        if -margin <= found.gain and bound < -margin:
            said += f". By estimate: that it loses no more is not proven, {_rows_that_do(question, found)}"
        return Check(name, found.gain >= -margin, said)
    passed = bound >= -margin
    said += f", and {question.said()} it may truly lose {max(0.0, -bound):.4f}"
    if not passed and (power := _power_if_equal(question, found)) < _POWER:
        said += f". An equal one would pass with probability {power:.2f}: {_rows_that_do(question, found)}"
    return Check(name, passed, said)


def better(question: Question, where: str, found: Comparison) -> Check:
    """The challenger must be proven better."""
    p = found.p_better(question.level)
    said = f"against the champion on {where}: {found}; that it is better must be proven {question.said()}: p is {p:.2g}"
    return Check(f"better {where}", found.gain > 0 and p <= question.level, said)


def slices_hold(question: Question, found: Mapping[str, Comparison], left_out: int) -> Check:
    """No slice may lose more than its margin."""
    proof = question.proof
    margin = proof.slice_margin
    if proof.prove == "worse":
        guilty = holm({name: one.known.p_below(-margin) for name, one in found.items()}, proof.alpha)
        asked = f"none may be proven to lose more than {margin:g} (level {proof.alpha:g}, Holm)"
        accused = "these are"
    else:
        guilty = {name for name, one in found.items() if one.known.lower(question.level) < -margin}
        asked = f"for each a loss above {margin:g} must be ruled out {question.said()}"
        accused = "for these it is not"
    small = f", {left_out} rows in smaller ones" if left_out else ""
    said = f"{len(found)} slices of at least {proof.min_slice_rows} golden rows{small}: {asked}"
    shown = sorted(guilty, key=lambda name: found[name].gain) or sorted(found, key=lambda name: found[name].gain)[:1]
    said += f"; {accused if guilty else 'the lowest'}: " if shown else ""
    said += "; ".join(f"{name}, {found[name]}" for name in shown[:_NAMED])
    if len(shown) > _NAMED:
        said += f"; and {len(shown) - _NAMED} more"
    return Check("slices", not guilty, said)


def doubtful_labels(recent: Sequence[bool], golden: Sequence[bool], most: float) -> Check:
    """Labels that champion and challenger contradict with one voice, on new rows against the golden holdout.

    A changed world shows in rows that the challenger has learned and the champion has not. Labels that neither can
    follow, although they agree with each other, are rather wrong than new.

    Args:
        recent: For each labelled production row not trained on, whether both give one answer that is not the label.
        golden: The same of the golden holdout.
        most: How much larger the share may be on new rows. More passes only where chance explains it (Fisher's exact
            test at level 0.01).
    """
    new, old = sum(recent) / len(recent), sum(golden) / len(golden)
    proven = _by_chance(sum(recent), len(recent), sum(golden), len(golden)) < 0.01
    said = (
        f"champion and challenger contradict {new:.1%} of {len(recent)} new labels with one voice, and {old:.1%} of "
        f"the golden ones; {most:.0%} more would mean wrong labels (retrain.max_label_noise)"
    )
    return Check("labels", not (new - old > most and proven), said)


def _by_chance(marked: int, rows: int, others: int, other_rows: int) -> float:
    """The probability that so many or more of all marked rows fall among `rows`, if they fell anywhere."""
    every, total = rows + other_rows, marked + others
    ways = sum(math.comb(rows, k) * math.comb(other_rows, total - k) for k in range(marked, min(rows, total) + 1))
    return ways / math.comb(every, total)


def _power_if_equal(question: Question, found: Comparison) -> float:
    """With which probability a challenger without any difference would pass, on as many rows that differ as much."""
    if found.known.error == 0:
        return float(found.known.lower(question.level) - found.gain >= -question.margin)
    return _NORMAL.cdf(question.margin / found.known.error - _NORMAL.inv_cdf(1 - question.level))


def _rows_that_do(question: Question, found: Comparison) -> str:
    """How many rows would prove an equal challenger not worse, with the usual probability."""
    if question.margin == 0:
        return "and no number of rows proves it of an equal one with a margin of 0"
    quantiles = _NORMAL.inv_cdf(1 - question.level) + _NORMAL.inv_cdf(_POWER)
    wanted = max(
        found.rows * (quantiles * found.known.error / question.margin) ** 2,
        -math.log(question.level) / question.margin,
    )
    if wanted > _MOST_ROWS:
        return "and no holdout one could gather would do"
    # Two digits: it is no more than a plan.
    step = 10 ** max(0, len(str(int(wanted))) - 2)
    return f"about {math.ceil(wanted / step) * step:,} rows would do"
