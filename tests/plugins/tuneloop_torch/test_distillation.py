"""Learning from a teacher's answers: the loss, its gradient, and that the student follows."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from datasets import Dataset, Features, List, Value

from tuneloop.api import ABSENT, NO_PLACE, PluginError, TrainingData
from tuneloop_torch import FeatureExtraction, Full
from tuneloop_torch.distillation import Distillation
from tuneloop_torch.rows import read_rows

SECTION = {"artifact": "teacher"}


def taught(tiny, logits, train=96):
    """Rows with a teacher's answers beside their labels."""
    source = tiny.data(train=train)
    kinds = Features({**source.train.features, "teacher": List(Value("float32"), logits.shape[1])})
    rows = Dataset.from_dict({**source.train.to_dict(), "teacher": list(logits)}, features=kinds)
    return TrainingData(rows, source.validation, source.tensors, "cross_entropy", tiny.metric, "accuracy", True)


def test_the_gradient_is_that_of_softened_answers_times_the_temperature():
    student = torch.tensor([[1.0, 0.0, -1.0], [0.0, 2.0, 0.0]], requires_grad=True)
    teacher = torch.tensor([[2.0, 1.0, 0.0], [0.0, 0.0, 3.0]])
    Distillation("cross_entropy", 4.0, 1.0)(student.sum() * 0.0, student, teacher, 1.0).backward()
    expected = 4.0 * ((student.detach() / 4).softmax(1) - (teacher / 4).softmax(1)) / 2
    torch.testing.assert_close(student.grad, expected)


def test_equal_answers_cost_nothing_and_alpha_is_the_share():
    logits, hard = torch.randn(5, 3, generator=torch.Generator().manual_seed(1)), torch.tensor(2.0)
    assert float(Distillation("cross_entropy", 2.0, 0.25)(hard, logits, logits, 1.0)) == pytest.approx(1.5)
    other = Distillation("cross_entropy", 2.0, 1.0)(hard, logits, -logits, 1.0)
    mixed = Distillation("cross_entropy", 2.0, 0.25)(hard, logits, -logits, 1.0)
    assert float(mixed) == pytest.approx(1.5 + 0.25 * float(other))


def test_values_and_labels_of_their_own():
    student, teacher = torch.tensor([[1.0], [2.0]]), torch.tensor([[0.0], [4.0]])
    assert float(Distillation("mse", 2.0, 1.0)(torch.tensor(0.0), student, teacher, 1.0)) == pytest.approx(2.5)
    certain = torch.tensor([[50.0, -50.0]])
    loss = Distillation("binary_cross_entropy", 1.0, 1.0)
    assert float(loss(torch.tensor(0.0), certain, certain, 1.0)) == pytest.approx(0, abs=1e-6)
    assert float(loss(torch.tensor(0.0), certain, -certain, 1.0)) == pytest.approx(50)


def test_words_are_compared_in_their_order():
    labels = torch.tensor([[0, 1], [2, NO_PLACE]])
    teacher, student = torch.full((2, 2, 3), ABSENT), torch.full((2, 5, 3), ABSENT)
    words = torch.randn(3, 3, generator=torch.Generator().manual_seed(2))
    teacher[labels != NO_PLACE] = words
    student[0, 1], student[0, 4], student[1, 2] = words
    loss = Distillation("cross_entropy", 2.0, 1.0)
    assert float(loss(torch.tensor(0.0), student, teacher, 1.0)) == pytest.approx(0, abs=1e-6)


def test_parts_of_a_batch_give_its_loss_and_gradients(tiny, first_step):
    answers = np.random.default_rng(0).normal(size=(96, 3)).astype(np.float32)
    found = [
        first_step(data=taught(tiny, answers), distill=SECTION, class_weights="balanced", micro_batch_size=size)
        for size in (None, 5)
    ]
    assert found[0]["loss"] == pytest.approx(found[1]["loss"], abs=1e-5)
    for name, gradient in found[0]["gradients"].items():
        torch.testing.assert_close(gradient, found[1]["gradients"][name], rtol=0, atol=1e-5)


@pytest.mark.parametrize("strategy", [Full, FeatureExtraction])
def test_a_student_with_wrong_labels_follows_its_teacher(tiny, tmp_path, strategy):
    right = np.array(tiny.data().train["labels"])
    data = taught(tiny, np.eye(3, dtype=np.float32)[right] * 8)
    wrong = data.train.map(lambda row: {"labels": (row["labels"] + 1) % 3})
    data = TrainingData(
        wrong, data.validation, data.tensors, "cross_entropy", lambda *_: {"one": 0.0}, "one", maximize=False
    )
    agreed = []
    for section in (None, {**SECTION, "alpha": 1.0}):
        rates = {"learning_rate": 3e-3, "head_learning_rate": 2e-2}
        options = strategy.Options(epochs=6, batch_size=16, distill=section, early_stopping=None, **rates)
        model = tiny.model(dropout=0.0)
        strategy(options).fit(model, data, tmp_path / str(section is None), 0, lambda _: None)
        from tuneloop_torch.inference import logits_of

        answers = logits_of(model, read_rows(data.train, data.tensors), data.tensors, 32).argmax(1)
        agreed.append(float((answers == right).mean()))
    assert agreed[1] > agreed[0] + 0.1


def test_a_teacher_that_is_not_there_is_an_error(tiny, tmp_path):
    options = Full.Options(distill=SECTION)
    with pytest.raises(PluginError, match="have no column `teacher`"):
        Full(options).fit(tiny.model(), tiny.data(), tmp_path, 0, lambda _: None)
    assert Full(options).teacher(tmp_path) == tmp_path / "teacher"
    assert Full().teacher(tmp_path) is None
