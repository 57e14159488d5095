"""Calibration of a served model, from its answers on validation to its answers in service."""

import numpy as np
import pytest

from tuneloop.api import SignalBatch
from tuneloop.pipeline.evaluating.calibrated import calibrate
from tuneloop.pipeline.evaluating.reliability import reliability
from tuneloop.pipeline.evaluating.scoring import judge
from tuneloop.tasks import MultiLabelClassification, TabularRegression, TextClassification
from tuneloop_torchmetrics import CalibrationError


class Served:
    """As much of a predictor as calibration touches."""

    temperature = 1.0

    def __init__(self, task):
        self.task = task


def overconfident(rows=1500, seed=0):
    generator = np.random.default_rng(seed)
    logits = generator.normal(size=(rows, 2)) * 1.5
    chance = 1 / (1 + np.exp(logits[:, 0] - logits[:, 1]))
    truth = np.where(generator.random(rows) < chance, "spam", "ham")
    outputs = {"logits": (logits * 4).astype(np.float32)}
    task = TextClassification(("ham", "spam"))
    return SignalBatch([{}] * rows, [], outputs, task.answers(outputs)), truth.tolist()


def both():
    first, second = overconfident(), overconfident(seed=1)
    return {"validation": first[0], "test": second[0]}, {"validation": first[1], "test": second[1]}


def test_an_overconfident_model_is_cooled_and_answers_the_same():
    batches, values = both()
    predictor = Served(TextClassification(("ham", "spam")))
    answered, found = calibrate(predictor, batches, values, wanted=True)
    assert predictor.temperature == found.temperature.value == pytest.approx(4.0, rel=0.1)
    assert found.temperature.error_before > 0.1 > 0.05 > found.temperature.error_after
    old, new = batches["test"].answers, answered["test"].answers
    assert [one["label"] for one in old] == [one["label"] for one in new]
    assert np.mean([one["confidence"] for one in new]) < np.mean([one["confidence"] for one in old]) - 0.1


def test_the_error_is_that_of_the_metric():
    batches, values = both()
    task = TextClassification(("ham", "spam"))
    predictions, references = judge(task, batches["test"].outputs, values["test"])
    found = reliability(predictions.scores.max(axis=1), predictions.values == references)
    assert found.error == pytest.approx(CalibrationError().compute(predictions, references), abs=1e-4)
    assert sum(one.rows for one in found.bins) == len(references)


def test_a_project_may_ask_for_none():
    batches, values = both()
    predictor = Served(TextClassification(("ham", "spam")))
    answered, found = calibrate(predictor, batches, values, wanted=False)
    assert predictor.temperature == found.temperature.value == 1.0
    assert "evaluate.calibrate" in found.temperature.reason
    assert answered["test"] is batches["test"]


def test_labels_of_an_overconfident_model_are_cooled_and_stay_the_same():
    task = MultiLabelClassification(["a", "b", "c"])
    batches, values = {}, {}
    for seed, name in enumerate(("validation", "test")):
        generator = np.random.default_rng(seed)
        logits = generator.normal(-0.5, 1.5, (800, 3))
        applies = generator.random(logits.shape) < 1 / (1 + np.exp(-logits))
        # On test there is also a label that the model does not know.
        more = ["new"] if name == "test" else []
        values[name] = [[task.labels[at] for at in np.flatnonzero(row)] + more * (seed % 2) for row in applies]
        outputs = {"logits": (logits * 4).astype(np.float32)}
        batches[name] = SignalBatch([{}] * len(logits), [], outputs, task.answers(outputs))
    predictor = Served(task)
    answered, found = calibrate(predictor, batches, values, wanted=True)
    assert predictor.temperature == found.temperature.value == pytest.approx(4.0, rel=0.1)
    assert "2400 validation decisions on labels" in found.temperature.reason
    old, new = batches["test"].answers, answered["test"].answers
    assert [set(one["labels"]) for one in old] == [set(one["labels"]) for one in new]
    assert found.temperature.error_after < found.temperature.error_before - 0.05
    for batch, error in ((batches, found.before), (answered, found.after)):
        measured = CalibrationError().compute(*judge(task, batch["test"].outputs, values["test"]))
        assert error.error == pytest.approx(measured, abs=1e-4)


def test_numbers_have_no_temperature():
    batches, values = both()
    predictor = Served(TabularRegression(0.0, 1.0))
    assert calibrate(predictor, batches, values, wanted=True) == (batches, None)
    assert predictor.temperature == 1.0


def test_no_answers_have_no_bins():
    assert reliability(np.zeros(0), np.zeros(0, bool)).bins == ()
