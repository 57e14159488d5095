"""Which classes a page shows where there are too many to draw: those with most errors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tuneloop.report.model import LabelRow


@dataclass(frozen=True, slots=True)
class Shown:
    """A confusion matrix small enough to be drawn.

    Attributes:
        labels: Of its rows and columns.
        counts: By right label (rows) and answer (columns).
        summed: How many classes the last row and column sum up; 0: every class has its own.
        right: Right answers among those that are summed up.
        mixed: Answers that take one of those for another of them.
    """

    labels: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]
    summed: int = 0
    right: int = 0
    mixed: int = 0


def worst_classes(labels: Sequence[str], counts: Sequence[Sequence[int]], most: int) -> Shown:
    """All classes in their order, where there are not too many; else the worst first, and the others summed up.

    The errors of a class are its rows that were answered otherwise, and the rows of others that were taken for it.

    Args:
        labels: Class names.
        counts: By right label (rows) and answer (columns).
        most: Classes with a row and column of their own.
    """
    if len(labels) <= most:
        return Shown(tuple(labels), tuple(tuple(row) for row in counts))
    answered = [sum(column) for column in zip(*counts, strict=True)]
    errors = [sum(row) + answered[place] - 2 * row[place] for place, row in enumerate(counts)]
    # Stable: of equals, the one that stands before.
    order = sorted(range(len(labels)), key=lambda place: -errors[place])
    own, rest = order[:most], order[most:]
    rows = [[counts[i][j] for j in own] + [sum(counts[i][j] for j in rest)] for i in own]
    among = sum(counts[i][j] for i in rest for j in rest)
    rows.append([sum(counts[i][j] for i in rest) for j in own] + [among])
    right = sum(counts[i][i] for i in rest)
    name = "1 other" if len(rest) == 1 else f"{len(rest)} others"
    return Shown(
        (*(labels[place] for place in own), name), tuple(map(tuple, rows)), len(rest), right, mixed=among - right
    )


def worst_labels(labels: Sequence[LabelRow], most: int) -> tuple[LabelRow, ...]:
    """The labels with most errors, at most so many, the worst first."""
    return tuple(sorted(labels, key=lambda one: -(one.missed + one.wrongly))[:most])
