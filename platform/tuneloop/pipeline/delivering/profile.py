"""`profile`: what every signal looks like on the holdout, the golden examples, and then the sealed artifact."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuneloop.api import NO_PLACE, Predictions, Row, SignalBatch, Task
from tuneloop.artifact import CARD, MODEL, PREPROCESSOR, REFERENCE, TRAINING, Artifact, seal, write_atomic
from tuneloop.monitoring.accuracy.calibration import Calibration
from tuneloop.monitoring.accuracy.slices import slice_labels
from tuneloop.monitoring.reference import build_reference
from tuneloop.monitoring.signals import create_signals
from tuneloop.pipeline.data.about import about
from tuneloop.pipeline.data.rows import model_rows, truths
from tuneloop.pipeline.data.transforming import served_transforms
from tuneloop.pipeline.delivering.manifest import make_manifest
from tuneloop.pipeline.delivering.parity import run_in_batches
from tuneloop.pipeline.delivering.verify import SERVED
from tuneloop.pipeline.documents.card import card_facts, model_card
from tuneloop.pipeline.evaluating.assess import assess, intervals_of
from tuneloop.pipeline.evaluating.calibrate import fit_calibration
from tuneloop.pipeline.evaluating.calibrated import calibrate
from tuneloop.pipeline.evaluating.evaluate import SETTLING, settle
from tuneloop.pipeline.evaluating.generating import answer_prompts
from tuneloop.pipeline.evaluating.scoring import Scorer, judge
from tuneloop.pipeline.evaluating.written import judged_answers
from tuneloop.pipeline.runs import parts
from tuneloop.pipeline.runs.cache import fresh
from tuneloop.pipeline.runs.step import Scope, Step, StepContext, used
from tuneloop.serving.generating.predictor import open_predictor
from tuneloop.serving.predictor import Predictor
from tuneloop.serving.versions.examples import answer_each, write_examples
from tuneloop.tasks.written import writes

ARTIFACT = "artifact"
_EXAMPLES = 8
_HOLDOUT = ("validation", "test")


def _inputs(scope: Scope) -> dict[str, Any]:
    plugins = scope.plugins
    return {
        "name": scope.project.name,
        "chosen": dict(scope.changes),
        "calibrate": scope.project.evaluate.calibrate,
        "card": asdict(scope.project.card),
        "hidden": asdict(scope.project.store),
        "slices": list(scope.project.monitor.slices),
        "watched": [scope.project.monitor.signals, scope.project.monitor.exclude],
        "transforms": [part.model_dump() for part in served_transforms(scope)],
        "signals": [used(scope, "signal", name) for name in plugins.names("signal")],
    }


def run(context: StepContext) -> dict[str, Any]:
    """Assemble and seal the artifact."""
    task, preprocessor = parts.load_task(context), parts.load_preprocessor(context)
    served = context.file("verify", SERVED)
    predictor = open_predictor(served / MODEL, task, preprocessor, threads=2)
    folder = fresh(context.folder / ARTIFACT)
    shutil.copytree(served, folder, dirs_exist_ok=True)
    shutil.copytree(context.file("baseline", PREPROCESSOR), folder / PREPROCESSOR)
    shutil.copytree(context.file("tune", TRAINING), folder / TRAINING)
    batches = {name: _answer(context, predictor, name) for name in _HOLDOUT}
    values = {name: truths(*_rows(context, name))[: len(batches[name].rows)] for name in _HOLDOUT}
    task, batches = _settled(predictor, batches, values[SETTLING])
    wanted = context.project.evaluate.calibrate == "temperature"
    batches, calibrated = calibrate(predictor, batches, values, wanted=wanted)
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
    chosen = _examples(batches["test"], task.predictions_to(batches["test"].rows, batches["test"].outputs))
    write_examples(folder, chosen, answer_each(predictor, chosen))
    scorer = Scorer(context.project, context.plugins)
    # Of generated texts only the test split is judged: it takes long, and no list of errors is made of them.
    named = ("test",) if task.loss == "likelihood" else _HOLDOUT
    judged = {name: _judged(context, predictor, batches[name], values[name]) for name in named}
    metrics = scorer.score(*judged["test"], scorer.needed)
    assessment = assess(context, task, batches, judged, calibrated)
    manifest = make_manifest(context, task, preprocessor, metrics, {signal.name for signal in signals}).model_copy(
        update={
            "intervals": intervals_of(assessment),
            "temperature": None if calibrated is None else calibrated.temperature,
        }
    )
    write_atomic(folder / CARD, model_card(manifest, card_facts(context, assessment)).encode())
    artifact = seal(folder, manifest)
    return {
        "sha256": artifact.sha256,
        "metrics": metrics,
        "figures": assessment["figures"],
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
    if predictor.task.loss == "likelihood":
        return answer_prompts(predictor, checked)
    encoded = predictor.preprocessor.encode(checked)
    # Rows go one by one, as most requests come: a quantised graph scales by batch.
    outputs = run_in_batches(predictor, encoded, len(checked), 1)
    return SignalBatch(checked, encoded, outputs, predictor.task.answers_to(checked, outputs))


def _settled(
    predictor: Predictor, batches: dict[str, SignalBatch], values: Sequence[Any]
) -> tuple[Task, dict[str, SignalBatch]]:
    """The task as `validation` settles it, also set on the predictor, and the answers that it gives."""
    asked = batches[SETTLING]
    task = settle(predictor.task, asked.rows, asked.outputs, values)
    if task is None:
        return predictor.task, batches
    predictor.task = task
    return task, {
        name: replace(batch, answers=task.answers_to(batch.rows, batch.outputs)) for name, batch in batches.items()
    }


def _judged(
    context: StepContext, predictor: Predictor, batch: SignalBatch, values: Sequence[Any]
) -> tuple[Predictions, NDArray[Any]]:
    """What metrics read of the test split."""
    task = predictor.task
    if writes(task):
        return judged_answers(task, batch.answers, values)
    if task.loss != "likelihood":
        return judge(task, batch.outputs, values, batch.rows)
    # The batch holds generated answers; the right ones are scored.
    rows, columns = _rows(context, "test")
    checked = predictor.preprocessor.check(model_rows(rows, columns))
    outputs = run_in_batches(predictor, predictor.preprocessor.encode(checked), len(checked), 1)
    return judge(task, outputs, truths(rows, columns), checked)


def _examples(batch: SignalBatch, predictions: Predictions) -> list[Row]:
    """Rows spread over the answers, with the clearest first: a close call may turn with the processor."""
    if predictions.values.dtype == object:
        # Rows have no class to be spread over: those whose answers are surest.
        sure = np.array([float(answer.get("confidence", 0.0)) for answer in batch.answers])
        return [batch.rows[i] for i in np.argsort(-sure, kind="stable")[:_EXAMPLES].tolist()]
    if predictions.scores is None:
        picks = np.linspace(0, len(batch.rows) - 1, min(_EXAMPLES, len(batch.rows))).astype(int).tolist()
        return [batch.rows[i] for i in dict.fromkeys(picks)]
    clearness, answers = predictions.scores.max(axis=-1), predictions.values
    if predictions.scores.ndim == 2 and answers.ndim == 2:
        # Any number of labels a row: it is as clear as the label closest to a coin's toss, and known by its labels.
        clearness = np.abs(predictions.scores - 0.5).min(axis=1)
        answers = np.unique(answers, axis=0, return_inverse=True)[1].reshape(-1)
    elif answers.ndim == 2:
        # Words have a class each: a row is as clear as its least clear word, and is known by how many classes it has.
        clearness = np.where(answers != NO_PLACE, clearness, 1.0).min(axis=1)
        answers = np.array([len(np.unique(row[row != NO_PLACE])) for row in answers])
    by_label: dict[int, list[int]] = {}
    for position in np.argsort(-clearness, kind="stable").tolist():
        by_label.setdefault(int(answers[position]), []).append(position)
    rounds = max(len(group) for group in by_label.values())
    order = [group[turn] for turn in range(rounds) for _, group in sorted(by_label.items()) if turn < len(group)]
    return [batch.rows[i] for i in order[:_EXAMPLES]]


STEP = Step(
    "profile",
    6,
    ("load", "check", "split", "baseline", "tune", "evaluate", "export", "verify"),
    _inputs,
    run,
    told=about,
)
