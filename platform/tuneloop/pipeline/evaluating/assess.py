"""The whole assessment of a served model: figures with intervals, gain over the probe, calibration, error analysis."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuneloop.api import NO_PLACE, DataError, Predictions, Row, SignalBatch, Task
from tuneloop.artifact import write_json
from tuneloop.pipeline.comparing.comparison import Judged, compare, take
from tuneloop.pipeline.data.check import file_columns
from tuneloop.pipeline.data.encoded import FILE
from tuneloop.pipeline.data.rows import input_names, model_rows, truths
from tuneloop.pipeline.data.split import PLACES
from tuneloop.pipeline.evaluating.analysis import Looked, OutOfSample, analyse
from tuneloop.pipeline.evaluating.calibrated import Calibrated
from tuneloop.pipeline.evaluating.figures import interval_json, with_intervals
from tuneloop.pipeline.evaluating.kept import load_left_out, load_probe, same_references
from tuneloop.pipeline.evaluating.scoring import Scorer
from tuneloop.pipeline.evaluating.shown import Display
from tuneloop.pipeline.runs import parts
from tuneloop.pipeline.runs.step import StepContext
from tuneloop.tasks.written import writes

ASSESSMENT = "assessment.json"
_WRITTEN = "the model writes"
"""Beside the columns of a row: what a language model goes on with."""


def assess(
    context: StepContext,
    task: Task,
    batches: Mapping[str, SignalBatch],
    judged: Mapping[str, Judged],
    calibrated: Calibrated | None,
) -> dict[str, Any]:
    """Write the assessment as JSON, and give it.

    Args:
        context: Of the step that seals the artifact.
        task: The fitted task.
        batches: The served model's answers to `validation` and `test`.
        judged: The same answers as metrics read them, with the references.
        calibrated: What calibration did.
    """
    scorer = Scorer(context.project, context.plugins)
    looked = [_first(_looked(context, name), len(judged[name][1])) for name in judged]
    if task.loss == "likelihood" and not writes(task):
        looked = [
            _with_texts(one, [task.said(a) for a in batches[name].answers])
            for name, one in zip(judged, looked, strict=True)
        ]
    doubted = list(_out_of_sample(context, task, judged, looked)) if _classes(task) else []
    found = {
        "figures": {"test": interval_json(with_intervals(scorer, judged["test"]))},
        "gains": _gains(context, scorer, judged["test"]),
        "calibration": None if calibrated is None else _calibration(calibrated),
        **analyse(
            _both(looked),
            _joined([judged[name] for name in judged]),
            _embedding([batches[name] for name in judged], sum(len(one.rows) for one in looked)),
            doubted,
            Display(tuple(looked[0].rows[0]), context.project.store),
            [scorer.metrics[name] for name in dict.fromkeys([scorer.deciding, *scorer.metrics])],
        ),
    }
    write_json(context.folder / ASSESSMENT, found)
    return found


def intervals_of(found: Mapping[str, Any]) -> dict[str, tuple[float, float]]:
    """The ends of each metric's interval on test, of an assessment."""
    return {name: (one["low"], one["high"]) for name, one in found["figures"]["test"].items()}


def _classes(task: Task) -> bool:
    return task.loss == "cross_entropy" and task.judged_as in (None, "classification")


def _gains(context: StepContext, scorer: Scorer, served: Judged) -> dict[str, Any]:
    """The served model against the probe, or the untuned model, by the metric that decides, on rows both answered."""
    probe = load_probe(context.done["baseline"].folder, tuple(served[0].labels))
    if probe is None:
        return {}
    known = np.ones(len(served[1]), dtype=bool)
    if served[0].labels and served[0].values.ndim == 1:
        known = served[1] < len(parts.load_task(context).output_names)
    mine = take(served, known)
    if not same_references(probe[1], mine[1]):
        # Such as words that the served model sees more of: then the rows are not the same.
        return {}
    try:
        return {"probe": compare(scorer, scorer.deciding, (probe[0], mine[1]), mine).as_json()}
    except DataError:
        return {}


def _calibration(found: Calibrated) -> dict[str, Any]:
    return {
        **found.temperature.model_dump(mode="json"),
        "before": [asdict(one) for one in found.before.bins],
        "after": [asdict(one) for one in found.after.bins],
    }


def _looked(context: StepContext, name: str) -> Looked:
    rows = parts.split_rows(context, name)
    columns = parts.columns_of(context, rows)
    seen = {*input_names(columns), str(columns.target), columns.key}
    # Base64 of a picture tells nobody anything: the name of its file does, and cuts the rows into nothing.
    hidden = file_columns(columns, parts.task_class(context))
    apart = frozenset({FILE}) if hidden and FILE in rows.column_names else frozenset()
    more = {
        other: list(rows[other]) for other in rows.column_names if other not in seen | apart and _coarse(rows, other)
    }
    shown: list[Row] = [{n: v for n, v in row.items() if n not in hidden} for row in model_rows(rows, columns)]
    for one in apart:
        shown = [{one: called, **row} for called, row in zip(rows[one], shown, strict=True)]
    return Looked([name] * len(rows), _places(context, name, len(rows)), shown, more, apart)


def _coarse(rows: Any, column: str) -> bool:
    kind = getattr(rows.features[column], "dtype", "")
    return kind in ("string", "bool") or kind.startswith(("int", "uint", "float"))


def _places(context: StepContext, name: str, count: int) -> list[int]:
    """Where the rows of a split stood in the data; labelled production rows, which come last, stood nowhere."""
    with np.load(context.file("split", PLACES), allow_pickle=False) as found:
        places = found[name].tolist()[:count]
    return [*places, *[-1] * (count - len(places))]


def _first(looked: Looked, count: int) -> Looked:
    """The first rows: a task whose answers take long is judged by some."""
    cut = {name: values[:count] for name, values in looked.columns.items()}
    return Looked(looked.splits[:count], looked.positions[:count], looked.rows[:count], cut, looked.apart)


def _with_texts(looked: Looked, texts: Sequence[str]) -> Looked:
    """The rows with what the model wrote for them: metrics read how probable the right text is, people what it says."""
    absent = f"(it wrote for the first {len(texts)} rows alone)"
    rows = [{**row, _WRITTEN: texts[place] if place < len(texts) else absent} for place, row in enumerate(looked.rows)]
    return replace(looked, rows=rows, apart=looked.apart | {_WRITTEN})


def _both(looked: Sequence[Looked]) -> Looked:
    names = [name for name in looked[0].columns if all(name in one.columns for one in looked)]
    return Looked(
        [split for one in looked for split in one.splits],
        [place for one in looked for place in one.positions],
        [row for one in looked for row in one.rows],
        {name: [value for one in looked for value in one.columns[name]] for name in names},
        looked[0].apart,
    )


def _joined(judged: Sequence[Judged]) -> Judged:
    """Both splits as one; unknown labels may differ between them, and are told apart no more."""
    labels = min((one[0].labels for one in judged), key=len)
    judged = [_without_unknown(one, len(labels)) for one in judged]
    known = [np.where(one[1] >= len(labels), -1, one[1]) if labels and one[1].ndim == 1 else one[1] for one in judged]
    values = [one[0].values for one in judged]
    scores = [None if one[0].scores is None else one[0].scores[..., : len(labels)] for one in judged]
    return (
        Predictions(_stack(values), _stack_scores(scores), labels),
        _stack(known),
    )


def _without_unknown(judged: Judged, labels: int) -> Judged:
    """Where a row has any number of labels: without the columns of those that the model does not know."""
    predictions, references = judged
    if predictions.scores is None or predictions.scores.ndim != 2 or predictions.values.ndim != 2:
        return judged
    return Predictions(predictions.values[:, :labels], predictions.scores, predictions.labels), references[:, :labels]


def _stack(arrays: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """One after the other; rows of words are filled up to the longest."""
    if arrays[0].ndim == 1:
        return np.concatenate(arrays)
    width = max(array.shape[1] for array in arrays)
    return np.concatenate([_widened(array, width, NO_PLACE) for array in arrays])


def _stack_scores(scores: Sequence[NDArray[Any] | None]) -> NDArray[Any] | None:
    given = [one for one in scores if one is not None]
    if len(given) < len(scores):
        return None
    if given[0].ndim == 2:
        return np.concatenate(given)
    width = max(one.shape[1] for one in given)
    return np.concatenate([_widened(one, width, 0) for one in given])


def _widened(array: NDArray[Any], width: int, fill: float) -> NDArray[Any]:
    widths = [(0, 0), (0, width - array.shape[1]), *[(0, 0)] * (array.ndim - 2)]
    return np.pad(array, widths, constant_values=fill)


def _embedding(batches: Sequence[SignalBatch], rows: int) -> NDArray[np.floating] | None:
    found = [batch.outputs.get("embedding") for batch in batches]
    given = [one for one in found if one is not None and one.ndim == 2]
    # A model of language answers fewer rows than it is judged on.
    return np.concatenate(given) if len(given) == len(batches) and sum(map(len, given)) == rows else None


def _out_of_sample(
    context: StepContext, task: Task, judged: Mapping[str, Judged], looked: Sequence[Looked]
) -> Iterator[OutOfSample]:
    """Labels of held-out rows by the tuned model, and of training rows by the probe that has not seen the row."""
    classes = task.output_names
    for one, (predictions, references) in zip(looked, judged.values(), strict=True):
        known = np.flatnonzero(references < len(classes))
        if predictions.scores is not None and len(known):
            scores = predictions.scores[known][:, : len(classes)]
            yield OutOfSample(_some(one, known.tolist()), references[known], scores, classes)
    left = load_left_out(context.done["baseline"].folder)
    if left is not None:
        rows = parts.split_rows(context, "train")
        columns = parts.columns_of(context, rows)
        known = np.flatnonzero(task.targets(truths(rows, columns)) >= 0)[: len(left[0])]
        # What augmentations made stands behind the rows of the data: there is nothing to mend in a copy.
        own = known < len(rows) - context.done["split"].output["augmented"]
        labels, chances = (array[: len(known)][own] for array in left)
        yield OutOfSample(_some(_looked(context, "train"), known[own].tolist()), labels, chances, classes)


def _some(looked: Looked, at: Sequence[int]) -> Looked:
    return Looked([looked.splits[i] for i in at], [looked.positions[i] for i in at], [looked.rows[i] for i in at], {})
