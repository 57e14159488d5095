"""`baseline`: what is reached without tuning, so that the gain of tuning is a number.

It fits the task and the preprocessor, encodes all rows once, and scores two simple models on the test split: the
most frequent answer (or the mean), and a linear probe on the frozen model's features.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tuneloop.api import ABSENT, NO_PLACE, Arrays, Columns, DataError, Predictions, Preprocessor, Row, Task, scatter
from tuneloop.artifact import PREPROCESSOR
from tuneloop.pipeline.data.encoded import as_dataset, check_rows
from tuneloop.pipeline.data.encoding import Encoding, encode_split, process_count
from tuneloop.pipeline.data.quoted import Quoted, quoted_rows
from tuneloop.pipeline.data.rows import model_rows, open_rows, truths
from tuneloop.pipeline.evaluating.generating import unigram_logits, untuned_logits
from tuneloop.pipeline.evaluating.kept import keep_left_out, keep_probe
from tuneloop.pipeline.evaluating.scoring import Scorer, decoded, judge
from tuneloop.pipeline.evaluating.spoken import constant_transcript, untuned_frames
from tuneloop.pipeline.evaluating.written import constant_text, judge_model
from tuneloop.pipeline.runs import parts
from tuneloop.pipeline.runs.cache import fresh
from tuneloop.pipeline.runs.model_files import model_files
from tuneloop.pipeline.runs.parent import parent_artifact
from tuneloop.pipeline.runs.step import Scope, Step, StepContext, options, used
from tuneloop.pipeline.tuning.simple import constant_spans, in_places, probe_labels, probe_spans, share_logits
from tuneloop.pipeline.tuning.speech import speech_findings
from tuneloop.preprocessing.source import SourcePreprocessor
from tuneloop.tasks.written import writes

if TYPE_CHECKING:
    from datasets import Dataset

ENCODED = ("train", "validation", "test")
PLACED = "placed"
"""Key of the output: by split, the positions of the rows that were encoded."""
_PROBE_ROWS = 5000
_PROBE_TEXTS = 1000
"""The same where each word of a row has a label: a text has some twenty of them."""
_PROBE_SPANS = 300
"""The same where an answer is a part of its row: a text has some two hundred tokens. As many are answered at once."""
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
    task = base.answering(parts.task_class(context).fit(columns, train, _known(context)))
    preprocessor = parts.preprocessor_class(context, choice.name).fit(choice.options, columns, train)
    parts.save_task(context.folder, task)
    preprocessor.save(fresh(context.folder / PREPROCESSOR))
    placed = {name: _encode(context, name, task, preprocessor, columns) for name in ENCODED}
    findings = speech_findings(context, task, preprocessor, ENCODED) if task.loss == "ctc" else []
    scorer = Scorer(context.project, context.plugins)
    # All rows, also those whose answer is nowhere in them: the served model is judged on them too.
    every = range(len(parts.split_rows(context, "test")))
    quoted = quoted_rows(context, "test", preprocessor, every) if task.loss == "span" else None
    constant = scorer.score(*_constant(context, task, quoted), scorer.needed)
    probed = _probe(context, task, preprocessor, quoted)
    keep_probe(context.folder, probed)
    probe = scorer.score(*probed, scorer.needed)
    return {
        "preprocessor": choice.name,
        # Positions matter only where answers are judged beside their rows; for others they would be a long list.
        PLACED: {name: at.tolist() for name, at in placed.items()} if task.loss == "span" else {},
        "constant": constant,
        "probe": probe,
        "findings": findings,
        "summary": {
            **scorer.told({"constant": constant, "probe": probe}),
            **({"findings": "; ".join(one["text"] for one in findings)} if findings else {}),
        },
    }


def _known(context: StepContext) -> tuple[str, ...]:
    parent = parent_artifact(context.scope)
    if parent is None:
        return ()
    state = parent.manifest.task.state
    return tuple(state.get("labels", ()))


def _encode(
    context: StepContext, name: str, task: Task, preprocessor: Preprocessor, columns: Columns
) -> NDArray[np.int64]:
    """Write the encoded rows of a split; gives their positions in it."""
    rows, target = context.file("split", name), context.folder / name
    encoding = Encoding(
        rows, columns, type(task), task.state(), type(preprocessor), context.folder / PREPROCESSOR, target
    )
    known = encode_split(encoding, process_count(len(open_rows(rows)), context.project.data.processes))
    if not len(known):
        raise DataError(f"no row of split {name!r} has a label that training rows have")
    return known


def _labels(context: StepContext, name: str) -> NDArray[Any]:
    return np.asarray(open_rows(context.folder / name).with_format("numpy")["labels"][:])


def _truths(context: StepContext, name: str) -> list[Any]:
    rows = parts.split_rows(context, name)
    return truths(rows, parts.columns_of(context, rows))


def _constant(context: StepContext, task: Task, quoted: Quoted | None) -> tuple[Predictions, NDArray[Any]]:
    train, test = _labels(context, "train"), _labels(context, "test")
    if quoted is not None:
        return constant_spans(task, train, quoted)
    if writes(task):
        return constant_text(task, *(_truths(context, name) for name in ("train", "test")))
    if task.loss == "ctc":
        return constant_transcript(task, train, test)
    if task.loss == "likelihood":
        return decoded(task, unigram_logits(*(open_rows(context.folder / name) for name in ("train", "test"))), test)
    if task.loss == "binary_cross_entropy":
        return decoded(task, np.tile(share_logits(train), (len(test), 1)), test)
    if task.loss == "cross_entropy":
        train = train[train >= 0]
        shares = np.bincount(train, minlength=len(task.output_names)) / len(train)
        logits = np.log(np.maximum(shares, 1e-9))
    else:
        logits = np.array([train.mean()])
    return decoded(task, in_places(np.tile(logits, ((test != NO_PLACE).sum(), 1)), test), test)


def _probe(
    context: StepContext, task: Task, preprocessor: Preprocessor, quoted: Quoted | None
) -> tuple[Predictions, NDArray[Any]]:
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    train, test = _labels(context, "train")[:_PROBE_ROWS], _labels(context, "test")
    if writes(task):
        assert isinstance(preprocessor, SourcePreprocessor)
        rows = model_rows(found := parts.split_rows(context, "test"), parts.columns_of(context, found))
        model = parts.base_model(context).build(context.project.root, task, preprocessor)
        return judge_model(model, task, preprocessor, check_rows(preprocessor, rows), _truths(context, "test"))
    if task.loss == "likelihood":
        return decoded(task, _untuned(context, task, preprocessor), test)
    if task.loss == "ctc":
        base = parts.base_model(context)
        model = base.build(context.project.root, task, preprocessor)
        encoded = open_rows(context.folder / "test")
        return decoded(task, untuned_frames(parts.strategy(context, base), model, preprocessor.tensors, encoded), test)
    if quoted is not None:
        return judge(task, _span_outputs(context, task, preprocessor, quoted[0]), quoted[1], quoted[0])
    features = _features(context, task, preprocessor)
    if task.loss == "binary_cross_entropy":
        return decoded(task, probe_labels(features["train"], train, features["test"]), test)
    if train.ndim == 2:
        # Words have a class each: every word is a row of the probe.
        train = train[: len(features["train"])]
        features = {name: found[found[..., 0] > ABSENT / 2] for name, found in features.items()}
        train = train[train != NO_PLACE]
        features["train"], train = features["train"][train >= 0], train[train >= 0]
    if task.loss == "cross_entropy":
        if len(np.unique(train)) < 2:
            return _constant(context, task, quoted)
        if test.ndim == 1:
            keep_left_out(context.folder, features["train"], train, len(task.output_names))
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


def _untuned(context: StepContext, task: Task, preprocessor: Preprocessor) -> NDArray[np.float32]:
    """What a language model says before it is tuned: it has no head that a probe could stand in for."""
    base = parts.base_model(context)
    model = base.build(context.project.root, task, preprocessor)
    return untuned_logits(parts.strategy(context, base), model, open_rows(context.folder / "test"))


def _features(context: StepContext, task: Task, preprocessor: Preprocessor) -> dict[str, NDArray[Any]]:
    rows = {
        "train": open_rows(context.folder / "train"),
        "test": open_rows(context.folder / "test"),
    }
    most = _PROBE_TEXTS if task.judged_as == "tagging" else _PROBE_ROWS
    rows["train"] = rows["train"].select(range(min(len(rows["train"]), most)))
    if not task.roles:
        return _table_features(rows, preprocessor)
    read = _reader(context, task, preprocessor)
    return {name: read(found) for name, found in rows.items()}


def _reader(context: StepContext, task: Task, preprocessor: Preprocessor) -> Callable[[Dataset], NDArray[Any]]:
    """What the frozen model makes of encoded rows."""
    base = parts.base_model(context)
    strategy = parts.strategy(context, base)
    parts.seed_everything(context.project.tune.seed)
    model = base.build(context.project.root, task, preprocessor)
    return lambda rows: strategy.features(model, rows, preprocessor.tensors)


def _span_outputs(context: StepContext, task: Task, preprocessor: Preprocessor, asked: Sequence[Row]) -> Arrays:
    """Of all rows, some at a time: features of every token of every row would fill the memory."""
    read = _reader(context, task, preprocessor)
    train = open_rows(context.folder / "train")
    train = train.select(range(min(len(train), _PROBE_SPANS)))
    answer = probe_spans(read(train), _labels(context, "train")[: len(train)])
    groups: list[tuple[Sequence[int], Arrays]] = []
    for start in range(0, len(asked), _PROBE_SPANS):
        some = asked[start : start + _PROBE_SPANS]
        places = np.zeros((len(some), 2), dtype=np.int64)
        logits = answer(read(as_dataset(preprocessor.encode(some), places, preprocessor.tensors)))
        groups.append((range(start, start + len(some)), {"logits": logits}))
    return scatter(groups, len(asked))


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


STEP = Step("baseline", 4, ("split",), _inputs, run)
