"""Guess from a few rows of a file what its columns mean."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tuneloop.api import TuneloopError
from tuneloop.plugins import nearest

TARGET_NAMES = (
    "label",
    "labels",
    "tags",
    "answers",
    "score",
    "rating",
    "target",
    "class",
    "category",
    "y",
    "answer",
    "intent",
    "sentiment",
    "language",
    "outcome",
    "completion",
    "translation",
    "summary",
)
TEXT_NAMES = (
    "text",
    "tokens",
    "words",
    "prompt",
    "audio",
    "image",
    "context",
    "message",
    "sentence",
    "content",
    "body",
    "review",
    "comment",
    "utterance",
    "question",
    "title",
    "source",
    "document",
    "article",
)
KEY_NAMES = ("id", "key", "uuid", "guid", "row_id", "index")
FEW_CLASSES = 20
TRANSCRIPT_NAMES = ("text", "transcript", "transcription", "sentence", "label")
SOUND_SUFFIXES = (".wav", ".flac", ".ogg", ".mp3")


@dataclass(frozen=True, slots=True)
class Guess:
    """What a file seems to hold: task, answer column (None: the text is all), text column (texts only), key column."""

    task: str
    target: str | None
    text: str | None
    key: str | None


def guess_columns(
    rows: Sequence[dict[str, Any]], path: Path, *, task: str | None, text: str | None, target: str | None
) -> Guess:
    """The roles of the columns; what the caller gives is kept.

    Raises:
        TuneloopError: A column that was given is not there, or too few columns are.
    """
    columns = list(dict.fromkeys(column for row in rows for column in row))
    for given in filter(None, (text, target)):
        if given not in columns:
            raise TuneloopError(f"{path} has no column {given!r}.{nearest(given, columns)} Known: {', '.join(columns)}")
    key = _by_name(columns, KEY_NAMES, excluded=(text, target)) if len(columns) > 1 else None
    told = [column for column in columns if column != key]
    if len(told) == 1 and task in (None, "text-generation") and _is_text(_values(rows, told[0])):
        return Guess("text-generation", None, told[0], key)
    if len(columns) < 2:
        raise TuneloopError(f"{path} has one column, {columns[0]!r}: an input and an answer are needed")
    answer = target or _by_name(columns, TARGET_NAMES, excluded=(key, text)) or _last(columns, (key, text))
    texts = [column for column in columns if column not in (answer, key) and _is_text(_values(rows, column))]
    chosen = task or _task(text, texts, columns, answer, key, rows)
    if chosen.startswith("tabular-"):
        return Guess(chosen, answer, None, key)
    if chosen in ("question-answering", "question-answering-or-none") and "context" in columns:
        return Guess(chosen, answer, text or "context", key)
    others = [column for column in columns if column not in (answer, key)] or columns
    found = text or _by_name(texts or others, TEXT_NAMES) or max(others, key=lambda c: _length(_values(rows, c)))
    return Guess(chosen, answer, found, key)


def sound_column(rows: Sequence[dict[str, Any]]) -> str | None:
    """The column whose values all are names of sound files; None: there is none."""
    for column in dict.fromkeys(column for row in rows for column in row):
        values = _values(rows, column)
        if values and all(isinstance(one, str) and one.lower().endswith(SOUND_SUFFIXES) for one in values):
            return column
    return None


def guess_transcripts(rows: Sequence[dict[str, Any]], path: Path, sounds: str, *, target: str | None) -> Guess:
    """The roles of the columns of a table that names sound files in column `sounds`.

    Raises:
        TuneloopError: The column that was given is not there, or there is none beside the files.
    """
    columns = list(dict.fromkeys(column for row in rows for column in row))
    if target is not None and target not in columns:
        raise TuneloopError(f"{path} has no column {target!r}.{nearest(target, columns)} Known: {', '.join(columns)}")
    if len(columns) < 2:
        raise TuneloopError(f"{path} has one column, {sounds!r}: what is said in the sounds is needed too")
    said = target or _by_name(columns, TRANSCRIPT_NAMES, excluded=(sounds,)) or _last(columns, (sounds,))
    return Guess("automatic-speech-recognition", said, "audio", sounds)


def clock_warnings(rows: Sequence[dict[str, Any]], guess: Guess) -> list[str]:
    """Warnings of input columns of a table that look like a time or an identifier; `tuneloop run` looks again."""
    import numpy as np

    from tuneloop.monitoring.offline.suspects import suspicion

    columns = dict.fromkeys(column for row in rows for column in row if column not in (guess.target, guess.key))
    warnings = []
    for column in columns if guess.task.startswith("tabular-") else ():
        values = _values(rows, column)
        numbers = [number for number in map(_number, values) if number is not None]
        kind = "number" if len(numbers) == len(values) else "category"
        held = np.array(numbers if kind == "number" else [str(value) for value in values], dtype=None)
        if reason := suspicion(kind, held, held):
            like = "in order, like a time" if reason.startswith("monotone") else "all different, like an identifier"
            warnings.append(
                f"Warning: the values of column {column!r} are {like}. Leave it out by listing the others in "
                f"data.columns.inputs, or do not watch it: monitor: {{exclude: ['column:{column}']}}"
            )
    return warnings


def _task(
    text: str | None,
    texts: list[str],
    columns: list[str],
    answer: str,
    key: str | None,
    rows: Sequence[dict[str, Any]],
) -> str:
    values = _values(rows, answer)
    inputs = [column for column in columns if column not in (answer, key)]
    if answer == "completion" and "prompt" in inputs:
        return "text-generation"
    if answer in ("translation", "summary") and texts:
        return {"translation": "translation", "summary": "summarization"}[answer]
    if "question" in inputs and "context" in inputs:
        return "question-answering"
    if values and all(isinstance(value, list) for value in values):
        return "multi-label-classification" if texts else "token-classification"
    numbers = [number for number in map(_number, values) if number is not None]
    measured = len(numbers) == len(values) and len(set(numbers)) > FEW_CLASSES
    if texts and len(inputs) == 1 and not numbers and _differ(values):
        shorter = 2 * _length(values) < _length(_values(rows, texts[0]))
        return "summarization" if shorter else "translation"
    if text is not None or (texts and len(inputs) <= 2):
        return "text-regression" if measured else "text-classification"
    return "tabular-regression" if measured else "tabular-classification"


def _by_name(columns: Sequence[str], names: Sequence[str], excluded: Sequence[str | None] = ()) -> str | None:
    folded = {column.lower(): column for column in columns if column not in excluded}
    return next((folded[name] for name in names if name in folded), None)


def _last(columns: Sequence[str], excluded: Sequence[str | None]) -> str:
    return [column for column in columns if column not in excluded][-1]


def _values(rows: Sequence[dict[str, Any]], column: str) -> list[Any]:
    return [value for row in rows if (value := row.get(column)) not in (None, "")]


def _is_text(values: list[Any]) -> bool:
    """Sentences rather than categories: several words on average, and hardly any value twice."""
    texts = [value for value in values if isinstance(value, str) and _number(value) is None]
    if not texts or len(texts) < len(values) / 2:
        return False
    words = sum(len(text.split()) for text in texts) / len(texts)
    return words >= 3 and len(set(texts)) > len(texts) / 2


def _differ(values: list[Any]) -> bool:
    """Answers of which hardly any comes twice: they are written, there are no classes among them."""
    texts = [value for value in values if isinstance(value, str)]
    return len(texts) == len(values) >= FEW_CLASSES and len(set(texts)) > 0.9 * len(texts)


def _number(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def _length(values: list[Any]) -> float:
    return sum(len(str(value)) for value in values) / max(len(values), 1)
