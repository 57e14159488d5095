"""`split`: rows into train, validation, test and the golden holdout, which never enters training.

Labelled production rows are mixed in: a part to training, a part to `feedback_test`, which is never trained on.
Rows of the project's own data lie in the same split with and without them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tuneloop.api import Columns, DataError, RequestError, Row
from tuneloop.pipeline.data.assign import FEEDBACK_TEST, SPLITS, assign, assign_feedback
from tuneloop.pipeline.data.check import _inputs as check_inputs
from tuneloop.pipeline.data.rows import (
    StoredRows,
    digests,
    input_names,
    normalised,
    open_rows,
    plain,
    resolve_columns,
    write_rows,
)
from tuneloop.pipeline.data.transforming import augmented, row_change, transform_inputs
from tuneloop.pipeline.runs import parts
from tuneloop.pipeline.runs.cache import fresh
from tuneloop.pipeline.runs.records import FEEDBACK, run_folder
from tuneloop.pipeline.runs.step import Scope, Step, StepContext

if TYPE_CHECKING:
    from datasets import Dataset

PLACES = "places.npz"
"""Where the rows of each split stood in the data, in order; labelled production rows and augmented ones come behind."""
_HELD_OUT = ("golden", "test")


def _inputs(scope: Scope) -> dict[str, Any]:
    return {
        **check_inputs(scope),
        "feedback": scope.request.feedback,
        "augmentations": transform_inputs(scope, augmentations=True),
    }


def run(context: StepContext) -> dict[str, Any]:
    """Write one folder of rows a split.

    Raises:
        DataError: A split that judging needs is empty.
    """
    load = context.done["load"]
    dataset = open_rows(load.folder / load.output["rows"])
    columns = resolve_columns(context.project, dataset.column_names)
    dedupe = bool(parts.task_class(context).roles)
    places, unusable, leaking = _place(dataset, columns, context, dedupe)
    feedback: dict[str, list[Row]] = {}
    if context.scope.request.feedback is not None:
        path = run_folder(context.project.state, context.scope.request.run) / FEEDBACK
        feedback = _place_feedback(context, path, dataset, columns, places)
    np.savez(context.folder / PLACES, allow_pickle=False, **places)
    counts, made = {}, 0
    for name in (*SPLITS, FEEDBACK_TEST):
        rows = dataset.select(places[name]) if name in SPLITS else None
        rows = _with_feedback(rows, feedback.get(name, []), dataset)
        if rows is not None and name == "train":
            made, rows = len(rows), augmented(context.scope, rows)
            made = len(rows) - made
        if rows is not None:
            write_rows(rows, fresh(context.folder / name))
            counts[name] = len(rows)
    _demand(counts)
    return {
        "rows": counts,
        "feedback": {name: len(rows) for name, rows in feedback.items()},
        "augmented": made,
        "left_out": {"unusable": unusable, "equal to a held-out row": leaking},
        "summary": {
            **counts,
            **({"augmented": made} if made else {}),
            **({"left out": unusable + leaking} if unusable + leaking else {}),
        },
    }


def _place(
    dataset: Dataset, columns: Columns, context: StepContext, dedupe: bool
) -> tuple[dict[str, NDArray[np.int64]], int, int]:
    """Row positions by split, the number of rows that cannot be used, and of training rows equal to held-out ones."""
    names = input_names(columns)
    rows = StoredRows(dataset)
    required = (columns.target, *(names if dedupe else ()))
    unanswered = parts.task_class(context).blank
    # Arrays: lists of as many numbers would take five times the memory.
    usable = np.flatnonzero(
        np.fromiter(
            (
                not any(_blank(row[str(name)], unanswered if name == columns.target else None) for name in required)
                for row in rows
            ),
            dtype=bool,
            count=len(rows),
        )
    )
    placed = np.array(assign(StoredRows(dataset, usable), names, context.project.data.split, str(columns.target)), "S")
    places: dict[str, NDArray[np.int64]] = {}
    content = digests(rows, names) if dedupe else np.empty(0, dtype="S17")
    seen = np.empty(0, dtype=content.dtype)
    leaking = 0
    for split in SPLITS:
        mine = usable[placed == split.encode()]
        if dedupe:
            kept = mine if split in _HELD_OUT else mine[~np.isin(content[mine], seen)]
            seen = np.concatenate([seen, content[mine]])
        else:
            kept = mine
        leaking += len(mine) - len(kept)
        places[split] = kept
    return places, len(rows) - len(usable), leaking


def _place_feedback(
    context: StepContext, path: Path, dataset: Dataset, columns: Columns, places: Mapping[str, NDArray[np.int64]]
) -> dict[str, list[Row]]:
    names, target = input_names(columns), str(columns.target)
    change, kind = row_change(context.scope), parts.task_class(context)
    known = next((value for value in dataset[target] if not _blank(value, kind.blank)), None)
    home = {
        normalised(row, names): split
        for split in reversed(SPLITS)
        for row in dataset.select(places[split]).select_columns(list(names))
    }
    placed: dict[str, list[Row]] = {}
    # A model that generates reads right answers as inputs; a request has none.
    for line, item in _read_feedback(path, [name for name in names if name != target]):
        if _blank(item["label"], kind.blank):
            raise DataError(f"{path}, line {line}: the row has no label")
        try:
            row = {**change(item["row"]), target: kind.like(item["label"], known)}
        except RequestError as error:
            raise DataError(f"{path}, line {line}: {error}") from error
        content = normalised(row, names)
        split = home.get(content)
        if split in (*_HELD_OUT, "validation"):
            continue
        placed.setdefault(split or assign_feedback(content), []).append(row)
    return placed


def _read_feedback(path: Path, names: Iterable[str]) -> list[tuple[int, dict[str, Any]]]:
    found = []
    for number, text in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not text.strip():
            continue
        try:
            item = json.loads(text)
            row, _ = item["row"], item["label"]
            absent = [name for name in names if name not in row]
        except (ValueError, TypeError, KeyError) as error:
            raise DataError(
                f"{path}, line {number}: a labelled row is an object with key, row and label ({error!r})"
            ) from error
        if absent:
            raise DataError(f"{path}, line {number}: the row lacks the column {absent[0]!r}")
        found.append((number, item))
    return found


def _with_feedback(rows: Dataset | None, added: list[Row], like: Dataset) -> Dataset | None:
    if not added:
        return rows
    from datasets import Dataset, concatenate_datasets

    features = like.features
    full = {name: [row.get(name) for row in added] for name in features}
    try:
        extra = Dataset.from_dict(full, features=features)
    except (ValueError, TypeError, ArithmeticError) as error:
        raise DataError(f"labelled production rows do not have the types of the data: {error}") from error
    return extra if rows is None else concatenate_datasets([rows, extra])


def _blank(value: Any, unanswered: Callable[[Any], bool] | None = None) -> bool:
    """Whether a row lacks a value; `unanswered` tells it of the right answer."""
    value = plain(value)
    if value is None or unanswered is not None:
        return value is None or (unanswered is not None and unanswered(value))
    return value == [] or (isinstance(value, str) and not value.strip())


def _demand(counts: dict[str, int]) -> None:
    empty = [name for name in SPLITS if not counts[name]]
    if empty:
        raise DataError(
            f"no rows fall into: {', '.join(empty)} (rows by split: {counts}). "
            "Give more data, or larger shares in data.split"
        )


STEP = Step("split", 2, ("load", "check"), _inputs, run)
