"""What a strategy's teacher answers on the training rows: an artifact's logits, as a column beside the labels."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tuneloop.api import ABSENT, DataError, RunError, Strategy, Task
from tuneloop.artifact import MANIFEST, Artifact, sha256_file
from tuneloop.pipeline.data.encoded import encode_rows
from tuneloop.pipeline.data.encoding import learnable_rows
from tuneloop.pipeline.data.rows import model_rows, truths
from tuneloop.pipeline.delivering.parity import run_in_batches
from tuneloop.pipeline.runs import parts
from tuneloop.pipeline.runs.step import Scope, StepContext
from tuneloop.serving.predictor import Predictor

if TYPE_CHECKING:
    from datasets import Dataset

TEACHER = "teacher"
TEACHER_FILE = "teacher.npy"
_ROWS = 32


def teacher_inputs(scope: Scope) -> str | None:
    """The SHA-256 of the strategy's teacher: part of what the result of `tune` depends on; None: it has none.

    Raises:
        DataError: Its folder is no artifact.
    """
    tune = scope.project.tune
    strategy: Strategy = scope.plugins.create("strategy", tune.strategy, tune.options)
    folder = strategy.teacher(scope.project.root)
    if folder is None:
        return None
    try:
        return sha256_file(folder / MANIFEST)
    except OSError as error:
        raise DataError(
            f"the teacher's folder {folder} holds no artifact: {MANIFEST} cannot be read ({error.strerror})"
        ) from error


def teacher_used(scope: Scope) -> dict[str, str] | None:
    """Which artifact teaches: its `model` and `sha256`; None: none does.

    Raises:
        ArtifactError: Its manifest is none.
    """
    tune = scope.project.tune
    folder = scope.plugins.create("strategy", tune.strategy, tune.options).teacher(scope.project.root)
    if folder is None:
        return None
    artifact = Artifact.open(folder)
    return {"model": artifact.manifest.model, "sha256": artifact.sha256}


def taught(context: StepContext, strategy: Strategy, task: Task, rows: Dataset) -> Dataset:
    """The encoded training rows, with the column `teacher` where the strategy has a teacher.

    The teacher is run once: a killed attempt finds what it answered.

    Raises:
        ArtifactError: Its folder is no artifact, or was changed.
        RunError: It is for another task, or lacks an output of this one.
    """
    folder = strategy.teacher(context.project.root)
    if folder is None:
        return rows
    path = context.folder / TEACHER_FILE
    if not path.is_file():
        partial = path.with_suffix(".partial")
        with partial.open("wb") as file:
            np.save(file, _answers(context, Artifact.open(folder), task), allow_pickle=False)
        partial.replace(path)
    found: NDArray[np.float32] = np.load(path, allow_pickle=False)
    if len(found) != len(rows):
        raise RunError(f"the teacher answered {len(found)} rows, there are {len(rows)} to train on; run it again")
    return with_column(rows, found)


def with_column(rows: Dataset, logits: NDArray[np.float32]) -> Dataset:
    """The rows with a column `teacher` of logits `[n, k]` or `[n, words, k]`."""
    from datasets import Dataset, Features, List, Value, concatenate_datasets

    feature: Any = Value("float32")
    for size in reversed(logits.shape[1:]):
        feature = List(feature, size)
    column = Dataset.from_dict({TEACHER: list(logits)}, features=Features({TEACHER: feature}))
    return concatenate_datasets([rows, column], axis=1)


def _answers(context: StepContext, artifact: Artifact, task: Task) -> NDArray[np.float32]:
    name = artifact.manifest.task.name
    if name != task.name:
        raise RunError(f"the teacher {artifact.folder} is for task {name!r}; this project's is {task.name!r}")
    predictor = Predictor.open(artifact, context.plugins)
    order = _places(predictor.task.output_names, task.output_names, artifact.folder)
    rows = parts.split_rows(context, "train")
    columns = parts.columns_of(context, rows)
    requests = model_rows(rows, columns)
    known = learnable_rows(task, task.targets_to(requests, truths(rows, columns)))
    encoded = encode_rows(predictor.preprocessor, [requests[i] for i in known])
    logits = run_in_batches(predictor, encoded, len(known), _ROWS)["logits"]
    if task.loss == "mse":
        # Each model learned the target on a scale of its own.
        values = predictor.task.predictions({"logits": logits}).values
        return np.asarray(task.targets(values.tolist()), np.float32).reshape(-1, 1)
    return words_in_order(logits[..., order])


def _places(theirs: tuple[str, ...], ours: tuple[str, ...], folder: Path) -> list[int]:
    absent = [name for name in ours if name not in theirs]
    if absent:
        raise RunError(
            f"the teacher {folder} knows no {', '.join(map(repr, absent[:5]))}; it knows: {', '.join(theirs[:20])}"
        )
    return [theirs.index(name) for name in ours]


def words_in_order(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Logits `[n, k]` as they are; `[n, places, k]` with a row's words from the front, `[n, words, k]`."""
    if logits.ndim == 2:
        return logits
    held = logits[..., 0] > ABSENT / 2
    words = np.full((len(logits), int(held.sum(axis=1).max(initial=1)), logits.shape[2]), ABSENT, np.float32)
    for row, mask in enumerate(held):
        words[row, : mask.sum()] = logits[row, mask]
    return words
