"""Answers and their labels out of the prediction store, judged, as columns. The store is read and nothing else."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from tuneloop.api import Answer, RequestError, Row, ServingError
from tuneloop.monitoring.accuracy.answers import Answers, Judge, Pairs
from tuneloop.monitoring.accuracy.calibration import Calibration
from tuneloop.monitoring.accuracy.slices import SliceReader
from tuneloop.monitoring.tables import labels, predictions, shadows

_PORTION = 2000
"""Rows that are judged together."""


@dataclass(slots=True)
class _Columns:
    """What is known of the rows read so far."""

    values: dict[str, list[Any]] = field(default_factory=dict)
    classes: dict[str, int] = field(default_factory=dict)
    scores: dict[str, tuple[list[int], list[list[float]]]] = field(default_factory=dict)
    numbers: bool = False

    def add(self, **row: Any) -> None:
        for name, value in row.items():
            self.values.setdefault(name, []).append(value)

    def position(self, judge: Judge, value: Any) -> int:
        """The position of a class; -1 for what is none."""
        self.numbers = judge.task.loss == "mse"
        if judge.task.loss != "cross_entropy" or not isinstance(value, str | int | float):
            return -1
        return self.classes.setdefault(str(value), len(self.classes))

    def array(self, name: str, dtype: Any) -> NDArray[Any]:
        given = self.values.get(name, [])
        found = np.empty(len(given), dtype=dtype)
        found[:] = given
        return found


@contextmanager
def reading(url: str) -> Iterator[sa.Connection]:
    """A connection to a store that is there already.

    Raises:
        ServingError: There is none, or it cannot be read.
    """
    try:
        place = sa.make_url(url)
        if place.drivername.startswith("sqlite") and not Path(place.database or "").is_file():
            raise ServingError(f"there is no prediction store {place.database!r}; it appears when a server answers")
        engine = sa.create_engine(place)
    except (sa.exc.SQLAlchemyError, ImportError) as error:
        raise ServingError(f"the prediction store cannot be opened: {error}. Check its URL.") from error
    try:
        with engine.connect() as connection:
            yield connection
    except sa.exc.SQLAlchemyError as error:
        shown = place.render_as_string(hide_password=True)
        raise ServingError(f"the prediction store {shown!r} cannot be read: {error}") from error
    finally:
        engine.dispose()


def read_answers(
    connection: sa.Connection,
    model: str,
    judge_of: Callable[[str], Judge],
    *,
    since: float | None = None,
    versions: Sequence[str] = (),
) -> Answers:
    """All answers of a model with what became of them, oldest first.

    Args:
        connection: To the store.
        model: Whose.
        judge_of: What a version is judged with.
        since: Only answers given at or after this Unix second.
        versions: Only of these; none: of all.
    """
    query = (
        sa.select(
            predictions.c.version,
            predictions.c.time,
            predictions.c.row,
            predictions.c.answer,
            labels.c.label,
            labels.c.time.label("labelled"),
        )
        .select_from(sa.outerjoin(predictions, labels, predictions.c.id == labels.c.prediction_id))
        .where(predictions.c.model == model)
        .order_by(predictions.c.time, predictions.c.id)
    )
    if since is not None:
        query = query.where(predictions.c.time >= since)
    if versions:
        query = query.where(predictions.c.version.in_(versions))
    columns = _Columns()
    slices: dict[str, list[str]] = {}
    found = connection.execution_options(yield_per=_PORTION).execute(query)
    for portion in found.partitions():
        for name, values in _judge(portion, judge_of, columns).items():
            slices.setdefault(name, []).extend(values)
    return Answers(
        version=columns.array("version", object),
        time=columns.array("time", np.float64),
        labelled=columns.array("labelled", np.float64),
        error=columns.array("error", np.float64),
        right=columns.array("right", np.bool_),
        answered=columns.array("answered", np.int64),
        truth=columns.array("truth", np.int64),
        classes=tuple(columns.classes),
        numbers=columns.numbers,
        slices={name: np.array(values, dtype=object) for name, values in slices.items()},
        scores={
            version: (np.array(at, dtype=np.int64), np.array(scores, dtype=np.float64))
            for version, (at, scores) in columns.scores.items()
        },
    )


def read_pairs(
    connection: sa.Connection, model: str, judge_of: Callable[[str], Judge], *, since: float | None = None
) -> list[Pairs]:
    """Labelled rows that a champion and its shadow both answered, by these two versions."""
    query = (
        sa.select(
            predictions.c.version,
            predictions.c.answer,
            shadows.c.version.label("shadow"),
            shadows.c.answer.label("other"),
            labels.c.label,
        )
        .join(shadows, shadows.c.prediction_id == predictions.c.id)
        .join(labels, labels.c.prediction_id == predictions.c.id)
        .where(predictions.c.model == model)
        .order_by(predictions.c.time, predictions.c.id)
    )
    if since is not None:
        query = query.where(predictions.c.time >= since)
    both: dict[tuple[str, str], _Columns] = {}
    for record in connection.execution_options(yield_per=_PORTION).execute(query):
        label = json.loads(record.label)
        columns = both.setdefault((record.version, record.shadow), _Columns())
        judges = judge_of(record.version), judge_of(record.shadow)
        answers = json.loads(record.answer), json.loads(record.other)
        errors = [_error(judge, answer, label) for judge, answer in zip(judges, answers, strict=True)]
        if any(map(math.isnan, errors)):
            continue
        row: dict[str, Any] = {"truth": columns.position(judges[0], label)}
        for place, (judge, answer, error) in enumerate(zip(judges, answers, errors, strict=True)):
            row[f"error{place}"], row[f"right{place}"] = error, abs(error) <= judge.tolerance
            row[f"answered{place}"] = columns.position(judge, judge.task.decision(answer))
        columns.add(**row)
    return [
        Pairs(
            champion,
            challenger,
            (columns.array("error0", np.float64), columns.array("error1", np.float64)),
            (columns.array("right0", np.bool_), columns.array("right1", np.bool_)),
            (columns.array("answered0", np.int64), columns.array("answered1", np.int64)),
            columns.array("truth", np.int64),
            columns.numbers,
        )
        for (champion, challenger), columns in both.items()
        if columns.values
    ]


def _judge(portion: Sequence[Any], judge_of: Callable[[str], Judge], columns: _Columns) -> dict[str, list[str]]:
    """Add records to the columns; gives their slices."""
    rows: list[Row] = []
    answers: list[Answer] = []
    reader: SliceReader | None = None
    for record in portion:
        judge, answer = judge_of(record.version), json.loads(record.answer)
        known = record.label is not None
        label = json.loads(record.label) if known else None
        error = _error(judge, answer, label) if known else math.nan
        judged = not math.isnan(error)
        if judge.calibration is not None:
            _add_scores(columns, record.version, answer, judge.calibration)
        columns.add(
            version=record.version,
            time=record.time,
            labelled=record.labelled if known else math.nan,
            error=error,
            right=judged and abs(error) <= judge.tolerance,
            answered=columns.position(judge, judge.task.decision(answer)),
            truth=columns.position(judge, label) if judged else -1,
        )
        if judge.slices is not None:
            reader = judge.slices
            rows.append(json.loads(record.row))
            answers.append(answer)
    return {} if reader is None else reader.read(rows, answers)


def _add_scores(columns: _Columns, version: str, answer: Answer, calibration: Calibration) -> None:
    scores = answer.get("scores")
    if not isinstance(scores, Mapping) or not set(calibration.classes) <= set(scores):
        return
    at, rows = columns.scores.setdefault(version, ([], []))
    at.append(len(columns.values.get("version", ())))
    rows.append([float(scores[name]) for name in calibration.classes])


def _error(judge: Judge, answer: Answer, label: Any) -> float:
    """The error of an answer; NaN where the label does not fit it."""
    try:
        return judge.task.error(answer, label)
    except RequestError:
        return math.nan
