"""Rules about labelled answers beside their accuracy: scores by class, errors of numbers, slices, and the estimate.

They are recorded for dashboards and for who asks; nothing alarms by them. Replaced labels are taken back: see
`accuracy.tally`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tuneloop.monitoring.formula import CONFIDENCE_Z
from tuneloop.monitoring.metrics import (
    CORRECT,
    COUNTED,
    ESTIMATED_CORRECT,
    ESTIMATED_ROWS,
    FALSE_NEGATIVE,
    FALSE_POSITIVE,
    LABEL_CLASS,
    LABEL_ERROR,
    SLICE_LABELS,
    TO_CORRECT,
    TO_WRONG,
    TRUE_POSITIVE,
    UNDONE,
    WRONG,
)
from tuneloop.monitoring.rules.promql import duration, of_model, quote, recording, wilson_end
from tuneloop.monitoring.rules.values import WatchValues

_LABELS = "model_version:tuneloop_labels:increase"
_ONE, _CLASS, _SLICE = "model, version", "model, version, class", "model, version, slice, value"


def score_rules(values: WatchValues) -> list[dict[str, Any]]:
    """The rules of one window, `values.window`."""
    made = _Records(values)
    found = (*made.by_class(), *made.errors(), *made.slices(), *made.estimate())
    return [recording(name, expression, values.window) for name, expression in found]


class _Records:
    """Names and expressions of what is recorded, each after what it is computed from."""

    def __init__(self, values: WatchValues) -> None:
        self.values, self.window = values, duration(values.window)
        self.model = f"model={quote(values.model)}"

    def by_class(self) -> Iterator[tuple[str, str]]:
        """Counts and F1 by class, and the means over the classes that occur.

        A class that is never answered has a precision of 0, one that is never the truth a recall of 0.
        """
        counts = f"model_version_class_kind:tuneloop_label_class:increase{self.window}"
        right, wrong, missed = (
            self.own(counts, f'kind="{kind}"', _CLASS) for kind in (TRUE_POSITIVE, FALSE_POSITIVE, FALSE_NEGATIVE)
        )
        f1 = f"model_version_class:tuneloop_class_f1:ratio{self.window}"
        occurs = f"({right} + {wrong} + {missed} > 0)"
        yield counts, self.net(LABEL_CLASS, f"{_CLASS}, kind")
        yield f1, f"2 * {right} / (2 * {right} + {wrong} + {missed} > 0)"
        yield f"model_version:tuneloop_macro_f1:ratio{self.window}", f"avg by ({_ONE}) ({self.own(f1)})"
        for score, other in (("precision", wrong), ("recall", missed)):
            each = f"({right} / ({right} + {other} > 0)) or {occurs} * 0"
            yield f"model_version:tuneloop_macro_{score}:ratio{self.window}", f"avg by ({_ONE}) ({each})"

    def errors(self) -> Iterator[tuple[str, str]]:
        """Mean absolute error and root mean square error, with the normal approximation of their intervals."""
        sums = f"model_version_power:tuneloop_label_error_power:increase{self.window}"
        yield sums, self.net(LABEL_ERROR, f"{_ONE}, power")
        counted = f"{_LABELS}{self.window}{{{self.model}}} > 0"
        n = f"(sum by ({_ONE}) ({counted}))"
        totals = [self.own(sums, f'power="{power}"', _ONE) for power in (1, 2, 4)]
        one, two, four = (f"({total} / {n})" for total in totals)

        def reach(mean: str, squares: str) -> str:
            return f"{CONFIDENCE_Z:g} * sqrt(clamp_min({squares} - {mean} ^ 2, 0) / {n})"

        for end, sign in (("", ""), ("_lower", "-"), ("_upper", "+")):
            size = f"{one} {sign} {reach(one, two)}" if sign else one
            square = f"{two} {sign} {reach(two, four)}" if sign else two
            yield f"model_version:tuneloop_mean_absolute_error{end}:mean{self.window}", f"clamp_min({size}, 0)"
            yield (
                f"model_version:tuneloop_root_mean_square_error{end}:mean{self.window}",
                f"sqrt(clamp_min({square}, 0))",
            )

    def slices(self) -> Iterator[tuple[str, str]]:
        """Accuracy by slice, with Wilson intervals."""
        counted = f"model_version_slice_value:tuneloop_slice_labels:increase{self.window}"
        share = f"model_version_slice_value:tuneloop_slice_accuracy:ratio{self.window}"
        n, p = f"({self.own(counted)} > 0)", self.own(share)
        right, better, worse = (self.slice_increase(outcome) for outcome in (CORRECT, TO_CORRECT, TO_WRONG))
        yield counted, self.slice_increase(f"{CORRECT}|{WRONG}")
        yield share, f"clamp(({right} + {better} - {worse}) / on ({_SLICE}) {n}, 0, 1)"
        for name, sign in (("lower", "-"), ("upper", "+")):
            yield f"model_version_slice_value:tuneloop_slice_accuracy_{name}:ratio{self.window}", wilson_end(p, n, sign)

    def estimate(self) -> Iterator[tuple[str, str]]:
        """The share of answers that calibrated confidence expects to be right."""
        correct, rows = (
            f"sum by ({_ONE}) (increase({name}{{{self.model}}}[{self.window}]))"
            for name in (ESTIMATED_CORRECT, ESTIMATED_ROWS)
        )
        yield f"model_version:tuneloop_accuracy_estimate:ratio{self.window}", f"{correct} / ({rows} > 0)"

    def own(self, record: str, labels: str = "", by: str = "") -> str:
        """A recorded series of this model; `by` drops the labels that were matched."""
        chosen = f"{record}{{{self.model}, {labels}}}" if labels else of_model(record, self.values.model)
        return f"sum by ({by}) ({chosen})" if by else chosen

    def net(self, metric: str, by: str) -> str:
        """What labels that still hold add up to; a window that saw only corrections of older ones holds nothing."""
        counted, undone = (
            f'sum by ({by}) (increase({metric}{{{self.model}, change="{change}"}}[{self.window}]))'
            for change in (COUNTED, UNDONE)
        )
        return f"clamp_min({counted} - {undone}, 0)"

    def slice_increase(self, outcome: str) -> str:
        return f'sum by ({_SLICE}) (increase({SLICE_LABELS}{{{self.model}, outcome=~"{outcome}"}}[{self.window}]))'
