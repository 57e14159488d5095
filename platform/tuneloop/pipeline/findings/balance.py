"""Labels of which there are few, or far fewer than of others."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tuneloop.api import DataError, Row, Task
from tuneloop.pipeline.data.rows import column, plain
from tuneloop.pipeline.findings.finding import SHOWN, finding

_FEW = 10
_SMALL_SHARE = 0.02
_SMALL_PART = 0.2
"""Of what each label would have if all were there equally often: of a hundred labels each has a small share."""
_TIMES = 10
"""So many times as often as the rarest label, the most frequent one decides what a model learns."""
_PART = 10_000


def count_labels(kind: type[Task], answers: Iterable[Any]) -> dict[str, int]:
    """How often each label is there."""
    counts: Counter[str] = Counter()
    answers = iter(answers)
    while part := list(itertools.islice(answers, _PART)):
        counts.update(str(label) for label in kind.units([answer for answer in part if plain(answer) is not None]))
    return dict(counts)


def balance(kind: type[Task], rows: Sequence[Row], target: str, counts: Mapping[str, int]) -> list[dict[str, Any]]:
    """Findings on labels that are rare, with rows of the rarest, and on how far the labels are from equal numbers.

    Where each word has a label, one of them is nearly all by nature: what is between words is not told.

    Args:
        kind: The task, whose answers are labels.
        rows: All rows.
        target: The column of the answers.
        counts: How often each label is there.

    Raises:
        DataError: There is no label, or only one.
    """
    if not counts:
        raise DataError(f"column {target!r} holds no label at all; training needs right answers")
    if len(counts) == 1:
        only = next(iter(counts))
        raise DataError(f"column {target!r} holds only the label {only!r}; there is nothing to tell apart")
    total = sum(counts.values())
    order = sorted(counts, key=lambda label: (counts[label], label))
    rarest, most = order[0], order[-1]
    few = max(_FEW, total * min(_SMALL_SHARE, _SMALL_PART / len(counts)))
    rare = [label for label in order if counts[label] < few]
    uneven = kind.judged_as != "tagging" and counts[most] >= _TIMES * counts[rarest]
    if not rare and not uneven:
        return []
    shown = rare[:SHOWN] or [rarest]
    at = _places(kind, rows, target, {label: min(counts[label], SHOWN) for label in shown})
    found = []
    if rare:
        listed = ", ".join(f"{label} ({counts[label]})" for label in shown)
        places = dict.fromkeys(place for label in shown for place in at[label])
        found.append(finding("rare classes", f"{len(rare)} labels are rare: {listed}", list(places)))
    if uneven:
        text = (
            f"label {most!r} is there {counts[most] / counts[rarest]:.0f} times as often as {rarest!r} ({counts[most]} "
            f"and {counts[rarest]}): accuracy says little of the rarer ones, a mean over the labels more (macro_f1), "
            "and training may weigh them (tune.class_weights)"
        )
        found.append(finding("imbalance", text, at[rarest]))
    return found


def _places(kind: type[Task], rows: Sequence[Row], target: str, wanted: Mapping[str, int]) -> dict[str, list[int]]:
    """The first rows of some labels; how many of each."""
    found: dict[str, list[int]] = {label: [] for label in wanted}
    left = set(wanted)
    for row, answer in enumerate(column(rows, target)):
        if plain(answer) is None:
            continue
        for label in left & {str(label) for label in kind.units([answer])}:
            found[label].append(row)
        # A label may be there many times in one row, so that it has fewer rows.
        left = {label for label in left if len(found[label]) < wanted[label]}
        if not left:
            break
    return found
