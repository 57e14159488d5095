"""`profile`: what every signal looks like on the holdout, the golden examples, and then the sealed artifact."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tuneloop.api import NO_PLACE, Predictions, Row, SignalBatch, Task
from tuneloop.artifact import CARD, MODEL, PREPROCESSOR, REFERENCE, TRAINING, Artifact, seal, write_atomic
from tuneloop.monitoring.accuracy.calibration import Calibration
from tuneloop.monitoring.accuracy.slices import slice_labels
from tuneloop.monitoring.reference import build_reference
from tuneloop.monitoring.signals import create_signals
from tuneloop.pipeline import parts
from tuneloop.pipeline.cache import fresh
from tuneloop.pipeline.calibrate import fit_calibration
from tuneloop.pipeline.card import model_card
from tuneloop.pipeline.manifest import make_manifest
from tuneloop.pipeline.rows import model_rows, truths
from tuneloop.pipeline.scoring import Scorer, judge
from tuneloop.pipeline.step import Scope, Step, StepContext, used
from tuneloop.pipeline.verify import SERVED, run_in_batches
from tuneloop.serving.predictor import Predictor
from tuneloop.serving.versions.examples import answer_each, write_examples

ARTIFACT = "artifact"
_EXAMPLES = 8
_HOLDOUT = ("validation", "test")


def _inputs(scope: Scope) -> dict[str, Any]:
    plugins = scope.plugins
    return {
        "name": scope.project.name,
        "slices": list(scope.project.monitor.slices),
        "watched": [scope.project.monitor.signals, scope.project.monitor.exclude],
        "signals": [used(scope, "signal", name) for name in plugins.names("signal")],
    }


def run(context: StepContext) -> dict[str, Any]:
    """Assemble and seal the artifact."""
    task, preprocessor = parts.load_task(context), parts.load_preprocessor(context)
    served = context.file("verify", SERVED)
    predictor = Predictor(served / MODEL, task, preprocessor, threads=2)
    folder = fresh(context.folder / ARTIFACT)
    shutil.copytree(served, folder, dirs_exist_ok=True)
    shutil.copytree(context.file("baseline", PREPROCESSOR), folder / PREPROCESSOR)
    shutil.copytree(context.file("tune", TRAINING), folder / TRAINING)
    batches = {name: _answer(context, predictor, name) for name in _HOLDOUT}
    values = {name: truths(*_rows(context, name)) for name in _HOLDOUT}
    embedding = next(
        (batch.outputs["embedding"].shape[1] for batch in batches.values() if "embedding" in batch.outputs), 0
    )
    signals = create_signals(
        context.plugins.classes("signal"),  # type: ignore[arg-type]
        preprocessor.columns,
        preprocessor.tensors,
        task.output_names,
        embedding,
        exclude=context.project.monitor.exclude,
        only=context.project.monitor.signals,
    )
    errors = [
        task.error(answer, truth)
        for name in _HOLDOUT
        for answer, truth in zip(batches[name].answers, values[name], strict=True)
    ]
    reference = build_reference(signals, batches.values(), errors=errors, regression=task.loss == "mse")
    reference = reference.model_copy(
        update={
            "slices": slice_labels(context.project.monitor.slices, signals, reference),
            "calibration": _calibration(task, batches, values),
        }
    )
    reference.save(folder / REFERENCE)
    chosen = _examples(batches["test"], task.predictions(batches["test"].outputs))
    write_examples(folder, chosen, answer_each(predictor, chosen))
    scorer = Scorer(context.project, context.plugins)
    metrics = scorer.score(*judge(task, batches["test"].outputs, values["test"]))
    manifest = make_manifest(context, task, preprocessor, metrics, {signal.name for signal in signals})
    findings = len(context.done["check"].output["findings"])
    write_atomic(folder / CARD, model_card(manifest, findings).encode())
    artifact = seal(folder, manifest)
    return {
        "sha256": artifact.sha256,
        "metrics": metrics,
        "signals": len(signals),
        "summary": {"signals": len(signals), "rows": reference.rows, "artifact": artifact.sha256[:12]},
    }


def _calibration(
    task: Task, batches: Mapping[str, SignalBatch], values: Mapping[str, Sequence[Any]]
) -> Calibration | None:
    """Of a model that gives each row the scores of its classes; the splits are too small to keep one apart for it."""
    if task.loss != "cross_entropy":
        return None
    scores = [task.predictions(batches[name].outputs).scores for name in _HOLDOUT]
    given = [one for one in scores if one is not None and one.ndim == 2]
    if len(given) < len(scores):
        return None
    truth = np.concatenate([task.targets(values[name]) for name in _HOLDOUT])
    return fit_calibration(task.output_names, np.concatenate(given), truth)


def open_artifact(context: StepContext) -> Artifact:
    """The artifact of this run, verified."""
    return Artifact.open(Path(context.file("profile", ARTIFACT)))


def _rows(context: StepContext, name: str) -> tuple[Any, Any]:
    rows = parts.split_rows(context, name)
    return rows, parts.columns_of(context, rows)


def _answer(context: StepContext, predictor: Predictor, name: str) -> SignalBatch:
    checked = predictor.preprocessor.check(model_rows(*_rows(context, name)))
    encoded = predictor.preprocessor.encode(checked)
    # Rows go one by one, as most requests come: a quantised graph scales by batch.
    outputs = run_in_batches(predictor, encoded, len(checked), 1)
    return SignalBatch(checked, encoded, outputs, predictor.task.answers_to(checked, outputs))


def _examples(batch: SignalBatch, predictions: Predictions) -> list[Row]:
    """Rows spread over the answers, with the clearest first: a close call may turn with the processor."""
    if predictions.scores is None:
        picks = np.linspace(0, len(batch.rows) - 1, min(_EXAMPLES, len(batch.rows))).astype(int).tolist()
        return [batch.rows[i] for i in dict.fromkeys(picks)]
    clearness, answers = predictions.scores.max(axis=-1), predictions.values
    if answers.ndim == 2:
        # Words have a class each: a row is as clear as its least clear word, and is known by how many classes it has.
        clearness = np.where(answers != NO_PLACE, clearness, 1.0).min(axis=1)
        answers = np.array([len(np.unique(row[row != NO_PLACE])) for row in answers])
    by_label: dict[int, list[int]] = {}
    for position in np.argsort(-clearness, kind="stable").tolist():
        by_label.setdefault(int(answers[position]), []).append(position)
    rounds = max(len(group) for group in by_label.values())
    order = [group[turn] for turn in range(rounds) for _, group in sorted(by_label.items()) if turn < len(group)]
    return [batch.rows[i] for i in order[:_EXAMPLES]]


STEP = Step("profile", 3, ("load", "check", "split", "baseline", "tune", "evaluate", "export", "verify"), _inputs, run)
