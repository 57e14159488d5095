"""What a model gets wrong on rows it was not trained on, as lists that a person can act on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuneloop.api import Metric, MissingExtraError, Row
from tuneloop.pipeline.comparing.comparison import Judged
from tuneloop.pipeline.evaluating.candidates import candidates
from tuneloop.pipeline.evaluating.clusters import clusters
from tuneloop.pipeline.evaluating.mistakes import confused_pairs, worst_mistakes
from tuneloop.pipeline.evaluating.shown import Display, shown
from tuneloop.pipeline.evaluating.weakest import WeakSlice, weakest
from tuneloop.pipeline.evaluating.wrong import wrongness
from tuneloop.pipeline.findings.labels import doubtful_labels

_LABELS = 300


@dataclass(frozen=True, slots=True)
class Looked:
    """Rows that are looked at, one entry a row in each part.

    Attributes:
        splits: The split it lies in.
        positions: Its place among the rows of the project's data, from 0; -1 for labelled production rows.
        rows: Its request columns.
        columns: More columns by which rows may be cut, such as a source that the model does not see.
        apart: Columns of `rows` by which they are not cut, such as the name of a file.
    """

    splits: Sequence[str]
    positions: Sequence[int]
    rows: Sequence[Row]
    columns: Mapping[str, Sequence[Any]]
    apart: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class OutOfSample:
    """Labels, and what a model that has not seen the row takes it for: positions `int [n]`, `float [n, classes]`."""

    looked: Looked
    labels: NDArray[np.integer]
    probabilities: NDArray[np.floating]
    classes: Sequence[str]


def analyse(
    looked: Looked,
    judged: Judged,
    embedding: NDArray[np.floating] | None,
    doubted: Iterable[OutOfSample],
    display: Display,
    metrics: Sequence[Metric] = (),
) -> dict[str, Any]:
    """The analysis as JSON values.

    Args:
        looked: The rows that were answered.
        judged: Answers and references.
        embedding: What the model makes of each row, `float [n, d]`; None: it shows nothing.
        doubted: Rows whose labels may be doubted.
        display: What of a row may be shown.
        metrics: Say how wrong a text is: see `wrongness`.
    """
    found: dict[str, Any] = {
        "rows": len(looked.rows),
        "splits": list(dict.fromkeys(looked.splits)),
        "error": None,
        "looked": 0,
        "slices": [],
        "confusions": [],
        "mistakes": [],
        "labels": [one for group in doubted for one in _labels(group, display)],
    }
    wrong = wrongness(judged, metrics)
    if wrong is None:
        return found
    cuts = candidates(_columns(looked), _answers(judged), None if embedding is None else clusters(embedding))
    return {
        **found,
        "error": wrong.kind,
        "weight": wrong.kind.removeprefix("mean ") if wrong.confidence is None else "confidence",
        "looked": len(cuts),
        "slices": [_slice(one, looked) for one in weakest(cuts, wrong)],
        "confusions": [
            {
                "right": shown(one.right),
                "answered": shown(one.answered),
                "count": one.count,
                "share": one.share,
                "examples": [_reference(looked, at) for at in one.positions],
            }
            for one in confused_pairs(judged)
        ],
        "mistakes": [
            {
                **_reference(looked, one.position),
                "right": shown(one.right),
                "answered": shown(one.answered),
                "weight": one.weight,
                "shown": display.row(looked.rows[one.position]),
            }
            for one in worst_mistakes(judged, wrong)
        ],
    }


def _columns(looked: Looked) -> dict[str, Sequence[Any]]:
    names = dict.fromkeys(name for row in looked.rows[:1] for name in row if name not in looked.apart)
    return {**{name: [row.get(name) for row in looked.rows] for name in names}, **looked.columns}


def _answers(judged: Judged) -> list[str] | None:
    predictions, references = judged
    if not predictions.labels or references.ndim != 1:
        return None
    return [predictions.labels[place] if place >= 0 else "?" for place in references.tolist()]


def _slice(one: WeakSlice, looked: Looked) -> dict[str, Any]:
    kept = {name: value for name, value in asdict(one).items() if name != "positions"}
    return {**kept, "proven": one.proven, "examples": [_reference(looked, at) for at in one.positions]}


def _reference(looked: Looked, at: int) -> dict[str, Any]:
    """Where a row is found again."""
    return {"split": looked.splits[at], "row": int(looked.positions[at])}


def _labels(group: OutOfSample, display: Display) -> list[dict[str, Any]]:
    try:
        ranked = doubtful_labels(group.labels, group.probabilities)[:_LABELS]
    except MissingExtraError:
        return []
    found = []
    for at in ranked.tolist():
        likely = int(group.probabilities[at].argmax())
        found.append(
            {
                **_reference(group.looked, at),
                "label": shown(group.classes[int(group.labels[at])]),
                "likely": shown(group.classes[likely]),
                "chance": float(group.probabilities[at, int(group.labels[at])]),
                "shown": display.row(group.looked.rows[at]),
            }
        )
    return found
