"""`baseline`: what is reached without tuning, so that the gain of tuning is a number.

It fits the task and the preprocessor, encodes all rows once, and scores two simple models on the test split: the
most frequent answer (or the mean), and a linear probe on the frozen model's features.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuneloop.api import ABSENT, NO_PLACE, Columns, DataError, Predictions, Preprocessor, Task
from tuneloop.artifact import PREPROCESSOR, Artifact
from tuneloop.pipeline import parts
from tuneloop.pipeline.cache import fresh
from tuneloop.pipeline.encoded import as_dataset, encode_rows
from tuneloop.pipeline.model_files import model_files
from tuneloop.pipeline.rows import model_rows, open_rows, truths, write_rows
from tuneloop.pipeline.scoring import Scorer, decoded
from tuneloop.pipeline.step import Scope, Step, StepContext, options, used

ENCODED = ("train", "validation", "test")
_PROBE_ROWS = 5000
_PROBE_TEXTS = 1000
"""The same where each word of a row has a label: a text has some twenty of them."""
_SMALLEST = -30.0
"""Logit of a label that the probe thinks impossible: its logarithm would be infinite."""


def _inputs(scope: Scope) -> dict[str, Any]:
    project = scope.project
    parent = scope.request.parent
    return {
        "model": [used(scope, "base model", project.model.base), options(project.model.options), model_files(scope)],
        "task": used(scope, "task", project.task),
        "metrics": [used(scope, "metric", name) for name in Scorer(project, scope.plugins).metrics],
        "seed": project.tune.seed,
        "parent": parent.sha256 if parent else None,
    }


def run(context: StepContext) -> dict[str, Any]:
    """Fit task and preprocessor, encode, and score the simple models."""
    base = parts.base_model(context)
    train = parts.split_rows(context, "train")
    columns = parts.columns_of(context, train)
    choice = base.preprocessor(context.project.root)
    task = parts.task_class(context).fit(columns, train, _known(context))
    preprocessor = parts.preprocessor_class(context, choice.name).fit(choice.options, columns, train)
    parts.save_task(context.folder, task)
    preprocessor.save(fresh(context.folder / PREPROCESSOR))
    for name in ENCODED:
        _encode(context, name, task, preprocessor, columns)
    scorer = Scorer(context.project, context.plugins)
    constant = scorer.score(*_constant(context, task))
    probe = scorer.score(*_probe(context, task, preprocessor))
    decides = scorer.deciding
    return {
        "preprocessor": choice.name,
        "constant": constant,
        "probe": probe,
        "summary": {f"constant {decides}": constant[decides], f"probe {decides}": probe[decides]},
    }


def _known(context: StepContext) -> tuple[str, ...]:
    parent = context.scope.request.parent
    if parent is None:
        return ()
    state = Artifact.open(Path(parent.folder)).manifest.task.state
    return tuple(state.get("labels", ()))


def _encode(context: StepContext, name: str, task: Task, preprocessor: Preprocessor, columns: Columns) -> None:
    rows = parts.split_rows(context, name)
    targets = task.targets(truths(rows, columns))
    # A label that no training row has cannot be learned from; it still counts where answers are judged.
    learnable = targets >= 0 if task.loss == "cross_entropy" else np.ones(len(targets), dtype=bool)
    known = np.flatnonzero(learnable.reshape(len(targets), -1).any(axis=1))
    if not len(known):
        raise DataError(f"no row of split {name!r} has a label that training rows have")
    kept = rows.select(known.tolist())
    encoded = encode_rows(preprocessor, model_rows(kept, columns))
    write_rows(as_dataset(encoded, targets[known], preprocessor.tensors), fresh(context.folder / name))


def _labels(context: StepContext, name: str) -> NDArray[Any]:
    return np.asarray(open_rows(context.folder / name).with_format("numpy")["labels"][:])


def _constant(context: StepContext, task: Task) -> tuple[Predictions, NDArray[Any]]:
    train, test = _labels(context, "train"), _labels(context, "test")
    if task.loss == "cross_entropy":
        train = train[train >= 0]
        shares = np.bincount(train, minlength=len(task.output_names)) / len(train)
        logits = np.log(np.maximum(shares, 1e-9))
    else:
        logits = np.array([train.mean()])
    return decoded(task, in_places(np.tile(logits, ((test != NO_PLACE).sum(), 1)), test), test)


def _probe(context: StepContext, task: Task, preprocessor: Preprocessor) -> tuple[Predictions, NDArray[Any]]:
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    train, test = _labels(context, "train")[:_PROBE_ROWS], _labels(context, "test")
    features = _features(context, task, preprocessor)
    if train.ndim == 2:
        # Words have a class each: every word is a row of the probe.
        train = train[: len(features["train"])]
        features = {name: found[found[..., 0] > ABSENT / 2] for name, found in features.items()}
        train = train[train != NO_PLACE]
        features["train"], train = features["train"][train >= 0], train[train >= 0]
    if task.loss == "cross_entropy":
        if len(np.unique(train)) < 2:
            return _constant(context, task)
        model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=200))
        model.fit(features["train"], train)
        found = model.predict_proba(features["test"])
        logits = np.full((len(found), len(task.output_names)), _SMALLEST, dtype=np.float32)
        logits[:, model[-1].classes_] = np.log(np.maximum(found, np.exp(_SMALLEST)))
        logits = in_places(logits, test)
    else:
        model = make_pipeline(StandardScaler(), Ridge())
        model.fit(features["train"], train)
        logits = model.predict(features["test"]).reshape(-1, 1).astype(np.float32)
    return decoded(task, logits, test)


def in_places(logits: NDArray[Any], labels: NDArray[Any]) -> NDArray[np.float32]:
    """Logits `[words, k]` as `[n, places, k]` where labels are `[n, places]`; unchanged where a row has one label."""
    if labels.ndim == 1:
        return logits.astype(np.float32)
    found = np.full((*labels.shape, logits.shape[1]), ABSENT, dtype=np.float32)
    found[labels != NO_PLACE] = logits
    return found


def _features(context: StepContext, task: Task, preprocessor: Preprocessor) -> dict[str, NDArray[Any]]:
    rows = {
        "train": open_rows(context.folder / "train"),
        "test": open_rows(context.folder / "test"),
    }
    most = _PROBE_TEXTS if task.judged_as == "tagging" else _PROBE_ROWS
    rows["train"] = rows["train"].select(range(min(len(rows["train"]), most)))
    if not task.roles:
        return _table_features(rows, preprocessor)
    base = parts.base_model(context)
    strategy = parts.strategy(context, base)
    parts.seed_everything(context.project.tune.seed)
    model = base.build(context.project.root, task, preprocessor)
    return {name: strategy.features(model, found, preprocessor.tensors) for name, found in rows.items()}


def _table_features(rows: dict[str, Any], preprocessor: Preprocessor) -> dict[str, NDArray[Any]]:
    """The encoded inputs of a table; positions of categories as one 0/1 column each."""
    from sklearn.preprocessing import OneHotEncoder

    found: dict[str, list[NDArray[Any]]] = {name: [] for name in rows}
    for tensor in preprocessor.tensors:
        values = {name: np.asarray(data.with_format("numpy")[tensor.name][:]) for name, data in rows.items()}
        if tensor.dtype.startswith("int"):
            encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=False).fit(values["train"])
            values = {name: encoder.transform(array) for name, array in values.items()}
        for name, array in values.items():
            found[name].append(array.reshape(len(array), -1))
    return {name: np.concatenate(arrays, axis=1) for name, arrays in found.items()}


STEP = Step("baseline", 1, ("split",), _inputs, run)
