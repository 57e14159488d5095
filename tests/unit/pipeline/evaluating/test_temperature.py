"""Temperatures that are known, and rows that tell nothing."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tuneloop.api import ABSENT
from tuneloop.pipeline.evaluating.temperature import decisions, fit_temperature, labelled, likeliest
from tuneloop.tasks import MultiLabelClassification, TabularRegression, TextClassification, TokenClassification
from tuneloop.tasks.classification import softmax
from tuneloop.tasks.multi_label import sigmoid
from tuneloop.tasks.temperature import decides_apart, tempered, tempers


def truthful(rows=3000, classes=4, seed=0):
    """Logits whose softmax is the truth, and labels drawn by it."""
    generator = np.random.default_rng(seed)
    logits = (generator.normal(size=(rows, classes)) * 2).astype(np.float32)
    chances = softmax(logits).astype(np.float64).cumsum(axis=1)
    return logits, (generator.random((rows, 1)) > chances[:, :-1]).sum(axis=1)


@pytest.mark.parametrize("factor", [0.4, 3.0])
def test_logits_that_were_scaled_are_scaled_back(factor):
    logits, truth = truthful()
    assert fit_temperature(logits * factor, truth).temperature == pytest.approx(factor, rel=0.08)


def test_truthful_logits_stay_as_they_are():
    found = fit_temperature(*truthful(seed=1))
    assert found.temperature == pytest.approx(1.0, abs=0.05)


@pytest.mark.parametrize("wrong", [0, 4])
def test_too_few_errors_tell_nothing(wrong):
    truth = np.zeros(200, int)
    logits = np.tile([3.0, 0.0], (200, 1))
    logits[:wrong] = [0.0, 3.0]
    found = fit_temperature(logits, truth)
    assert found.temperature == 1.0
    assert f"{wrong} wrong answers among 200" in found.reason


def test_no_rows_are_no_error():
    assert fit_temperature(np.zeros((0, 3)), np.zeros(0, int)).temperature == 1.0


def test_words_with_a_known_label_are_rows():
    logits = np.full((2, 3, 2), ABSENT)
    logits[0, :2], logits[1, :1] = [[1, 2], [3, 4]], [[5, 6]]
    found, truth = labelled(logits, np.array([[1, -1, -2], [0, -2, -2]]))
    assert found.tolist() == [[1, 2], [5, 6]]
    assert truth.tolist() == [1, 0]


def test_likeliest_probabilities_are_those_that_made_the_labels():
    logits, truth = truthful(seed=2)
    found = likeliest(logits.astype(np.float64) * 0.1, truth)
    assert np.abs(found - softmax(logits)).max() < 0.05


floats = st.floats(-30, 30, width=32)


@given(arrays(np.float32, st.tuples(st.integers(1, 5), st.integers(2, 6)), elements=floats), st.floats(0.05, 20))
def test_an_answer_never_changes(logits, temperature):
    scaled = tempered({"logits": logits}, temperature)["logits"]
    assert scaled.dtype == np.float32
    assert scaled.argmax(axis=1).tolist() == logits.argmax(axis=1).tolist()
    assert softmax(scaled).argmax(axis=1).tolist() == logits.argmax(axis=1).tolist()


def test_close_calls_stay_close_calls_of_the_same_side():
    logits = np.array([[5.0, np.nextafter(np.float32(5.0), np.float32(6.0))]], np.float32)
    assert softmax(tempered({"logits": logits}, 20.0)["logits"]).argmax() == 1


def test_places_that_hold_nothing_stay_so():
    logits = np.array([[[2.0, 1.0], [ABSENT, ABSENT]]], np.float32)
    scaled = tempered({"logits": logits, "embedding": logits}, 4.0)
    assert scaled["logits"][0, 1].tolist() == [ABSENT, ABSENT]
    assert scaled["logits"][0, 0].tolist() == [0.0, -0.25]
    assert scaled["embedding"] is logits


def test_it_is_for_answers_that_are_a_softmax():
    assert tempers(TextClassification)
    assert tempers(TokenClassification)
    assert not tempers(TabularRegression)
    assert [decides_apart(task) for task in (MultiLabelClassification, TextClassification)] == [True, False]
    assert tempers(MultiLabelClassification)


@pytest.mark.parametrize("factor", [0.4, 3.0])
def test_labels_share_the_temperature_that_minimises_binary_cross_entropy(factor):
    from scipy.optimize import minimize_scalar

    generator = np.random.default_rng(5)
    logits = generator.normal(-1, 2, (1000, 3))
    targets = (generator.random(logits.shape) < 1 / (1 + np.exp(-logits))).astype(np.float32)
    given = logits * factor

    def entropy(temperature):
        return np.logaddexp(0, -(2 * targets - 1) * given / temperature).mean()

    found = fit_temperature(*decisions(given, targets), unit="decisions")
    assert found.temperature == pytest.approx(minimize_scalar(entropy, bounds=(0.05, 20)).x, rel=1e-3)
    assert found.temperature == pytest.approx(factor, rel=0.1)
    assert found.rows == 3000
    assert "3000 validation decisions" in found.reason


near = st.one_of(floats, st.floats(-(2.0**-16), 2.0**-16, width=32))


@given(arrays(np.float32, st.tuples(st.integers(1, 5), st.integers(1, 6)), elements=near), st.floats(0.05, 20))
def test_the_same_labels_apply_at_any_temperature(logits, temperature):
    scaled = tempered({"logits": logits}, temperature, apart=True)["logits"]
    assert scaled.dtype == np.float32
    assert (sigmoid(scaled) >= 0.5).tolist() == (sigmoid(logits) >= 0.5).tolist()
    away = np.abs(logits) > 1e-4
    assert scaled[away] == pytest.approx(logits[away] / temperature, rel=1e-6)


@pytest.mark.parametrize(("logit", "temperature"), [(-1.5e-7, 20.0), (-1e-8, 0.05), (0.0, 0.05)])
def test_where_one_half_is_near_labels_stay_on_their_side(logit, temperature):
    logits = np.array([[logit]], np.float32)
    scaled = tempered({"logits": logits}, temperature, apart=True)["logits"]
    assert (sigmoid(scaled) >= 0.5).tolist() == (sigmoid(logits) >= 0.5).tolist()
