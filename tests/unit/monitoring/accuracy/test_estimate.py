"""The estimate without labels: right where the world answers as before, and wrong, as it must be, where it does not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from prometheus_client import REGISTRY
from sklearn.isotonic import IsotonicRegression

from tuneloop.api import SignalBatch
from tuneloop.monitoring.accuracy.calibration import Calibration, Curve
from tuneloop.monitoring.accuracy.estimate import estimate
from tuneloop.monitoring.accuracy.online import EstimateCounter
from tuneloop.monitoring.metrics import metrics
from tuneloop.pipeline.evaluating.calibrate import fit_calibration, needs_calibration
from tuneloop.tasks import TabularClassification

LABELS = ("a", "b", "c")
Sample = tuple[NDArray[np.float64], NDArray[np.int64]]


def sample(seed: int, rows: int, bend: float = 1.0, shift: float = 0.0, classes: int = 3) -> Sample:
    """Scores and the truth; a bend other than 1 makes scores too sure or too unsure."""
    random = np.random.default_rng(seed)
    logits = random.normal(size=(rows, classes)) * 2
    logits[:, 0] += shift

    def softmax(values: NDArray[np.float64]) -> NDArray[np.float64]:
        weights = np.exp(values - values.max(axis=1, keepdims=True))
        return weights / weights.sum(axis=1, keepdims=True)

    true = softmax(logits)
    truth = (true.cumsum(axis=1) < random.uniform(size=(rows, 1))).sum(axis=1).clip(max=classes - 1)
    return softmax(logits * bend), truth


@pytest.mark.parametrize("classes", [2, 3, 6])
def test_it_finds_the_accuracy_of_other_traffic(classes: int) -> None:
    scores, truth = sample(0, 6000, bend=2.5, classes=classes)
    labels = tuple(f"c{place}" for place in range(classes))
    calibration = fit_calibration(labels, scores, truth)
    fresh, right = sample(1, 6000, bend=2.5, shift=2.0, classes=classes)
    answered = fresh.argmax(axis=1)
    found = estimate(calibration(fresh), fresh, answered)
    assert found is not None
    measured = (answered == right).mean()
    assert found.accuracy == pytest.approx(measured, abs=0.02)
    assert abs(fresh.max(axis=1).mean() - measured) > 0.05, "uncalibrated confidence would have been far off"


def test_it_cannot_see_that_right_answers_changed() -> None:
    scores, truth = sample(2, 4000)
    calibration = fit_calibration(LABELS, scores, truth)
    answered = scores.argmax(axis=1)
    flipped = (truth + 1) % 3
    found = estimate(calibration(scores), scores, answered)
    assert found is not None
    assert (answered == flipped).mean() < 0.3 < 0.6 < found.accuracy


def test_scores_that_are_probabilities_need_no_curve_and_take_no_harm_from_one() -> None:
    fitted = [fit_calibration(LABELS, *sample(seed, 2000)) for seed in range(8)]
    assert any(curve is None for one in fitted for curve in one.curves)
    fresh, right = sample(100, 6000)
    answered = fresh.argmax(axis=1)
    for one in fitted:
        found = estimate(one(fresh), fresh, answered)
        assert found is not None
        assert found.accuracy == pytest.approx((answered == right).mean(), abs=0.025)
    assert all(fit_calibration(LABELS, *sample(3, 4000, bend=2.5)).curves)


@pytest.mark.parametrize(
    ("scores", "truth"),
    [
        (np.linspace(0, 1, 200), np.zeros(200, dtype=np.int64)),
        (np.linspace(0, 1, 200), np.eye(200, dtype=np.int64)[0]),
        (np.linspace(0, 1, 200), (np.arange(200) >= 100).astype(np.int64)),
        (np.linspace(0, 1, 6), np.array([0, 1, 0, 1, 1, 0])),
        (np.empty(0), np.empty(0, dtype=np.int64)),
    ],
    ids=["one-class", "one-of-it", "clear", "few", "none"],
)
def test_what_cannot_be_calibrated_is_left_alone(scores: NDArray[Any], truth: NDArray[Any]) -> None:
    assert not needs_calibration(scores, truth)


def test_labels_unknown_to_the_model_lower_every_curve() -> None:
    scores, truth = sample(4, 3000, bend=2.5)
    truth[:1500] = -1
    calibration = fit_calibration(LABELS, scores, truth)
    curves = [curve for curve in calibration.curves if curve is not None]
    assert len(curves) == 3
    assert max(curve.y[-1] for curve in curves) < 0.8


@given(st.lists(st.tuples(st.floats(0, 1), st.integers(0, 1)), min_size=2, max_size=60), st.integers(0, 2**32 - 1))
def test_a_curve_is_scikit_learns_regression(points: list[tuple[float, int]], seed: int) -> None:
    given_, truth = np.array([x for x, _ in points]), np.array([y for _, y in points])
    fitted = IsotonicRegression(out_of_bounds="clip").fit(given_, truth)
    curve = Curve(x=tuple(fitted.X_thresholds_.tolist()), y=tuple(fitted.y_thresholds_.tolist()))
    asked = np.random.default_rng(seed).uniform(-0.5, 1.5, size=50)
    np.testing.assert_allclose(curve(asked), fitted.predict(asked), atol=1e-12)


@given(st.integers(1, 30), st.integers(2, 5), st.integers(0, 2**32 - 1))
def test_probabilities_sum_to_one(rows: int, classes: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    curves = tuple(Curve(x=(0.2, 0.6), y=(0.0, float(random.uniform()))) for _ in range(classes))
    calibration = Calibration(classes=tuple(map(str, range(classes))), curves=curves)
    found = calibration(random.dirichlet([0.3] * classes, size=rows))
    np.testing.assert_allclose(found.sum(axis=1), 1.0)
    assert Calibration.model_validate_json(calibration.model_dump_json()) == calibration


def test_what_nothing_is_known_of() -> None:
    assert estimate(np.empty((0, 2)), np.empty((0, 2)), np.empty(0, dtype=np.int64)) is None
    sure = np.array([[1.0, 0.0], [1.0, 0.0]])
    found = estimate(sure, sure, np.array([0, 0]))
    assert found is not None
    assert (found.accuracy, found.f1.tolist()) == (1.0, [1.0, 0.0])
    assert np.isnan(found.roc_auc).all()


def test_damaged_calibrations_are_refused() -> None:
    for wrong in ({"x": (), "y": ()}, {"x": (0.2, 0.1), "y": (0.0, 1.0)}, {"x": (0.1,), "y": (0.1, 0.2)}):
        with pytest.raises(pydantic.ValidationError):
            Curve(**wrong)
    with pytest.raises(pydantic.ValidationError):
        Calibration(classes=LABELS, curves=(None,))


def batch(scores: NDArray[np.float64]) -> SignalBatch:
    logits = np.log(scores).astype(np.float32)
    return SignalBatch([{}] * len(scores), (), {"logits": logits}, [{}] * len(scores))


def read(name: str, model: str) -> float | None:
    return REGISTRY.get_sample_value(f"tuneloop_estimated_{name}_total", {"model": model, "version": "1"})


def test_the_counters_add_up_to_the_estimate() -> None:
    scores, truth = sample(5, 3000, bend=2.5)
    calibration = fit_calibration(LABELS, scores, truth)
    counter = EstimateCounter(calibration, TabularClassification(LABELS), metrics(), "online", "1")
    for start in range(0, 3000, 700):
        counter.observe(batch(scores[start : start + 700]))
    counter.observe(batch(scores[:0]))
    expected = estimate(calibration(scores), scores, scores.argmax(axis=1))
    assert expected is not None
    assert read("rows", "online") == 3000
    assert read("correct", "online") == pytest.approx(expected.accuracy * 3000, rel=1e-5)


def test_an_estimate_that_fails_is_switched_off(caplog: pytest.LogCaptureFixture) -> None:
    calibration = Calibration(classes=LABELS, curves=(None, None, None))
    counter = EstimateCounter(calibration, TabularClassification(LABELS), metrics(), "broken", "1")
    counter.observe(SignalBatch([{}], (), {}, [{}]))
    counter.observe(batch(np.full((4, 3), 1 / 3)))
    assert (read("rows", "broken"), read("correct", "broken")) == (0, 0)
    assert len([one for one in caplog.records if "not estimated any more" in one.message]) == 1
