"""Any metric by resampling; the share of right answers by counting; label spaces that differ."""

from types import MappingProxyType, SimpleNamespace

import numpy as np
import pytest

from tuneloop.api import DataError, Metric, Predictions
from tuneloop.pipeline.comparing.comparison import compare, compare_rights, rights, take
from tuneloop.pipeline.comparing.paired import Paired
from tuneloop.pipeline.comparing.resampled import Resampled
from tuneloop.pipeline.evaluating.scoring import judge
from tuneloop.tasks.multi_label import MultiLabelClassification
from tuneloop.tasks.text_classification import TextClassification
from tuneloop_torchmetrics import tuneloop_metrics


class Share(Metric):
    maximize = True

    def compute(self, predictions, references):
        return float((predictions.values == references).mean())


class MacroRecall(Metric):
    maximize = True

    def compute(self, predictions, references):
        present = np.unique(references)
        return float(np.mean([(predictions.values[references == one] == one).mean() for one in present]))


class Rmse(Metric):
    maximize = False

    def compute(self, predictions, references):
        return float(np.sqrt(((predictions.values - references) ** 2).mean()))


class Picky(Metric):
    maximize = True

    def compute(self, predictions, references):
        if len(np.unique(references)) < 3:
            raise DataError("too few classes")
        return float((predictions.values == references).mean() ** 2)


class Scorer:
    metrics = MappingProxyType({"share": Share(), "recall": MacroRecall(), "rmse": Rmse(), "picky": Picky()})


def classes(values, truth, labels="abc"):
    return Predictions(np.array(values), None, tuple(labels)), np.array(truth)


def noisy(generator, truth, error, classes=3):
    wrong = generator.random(len(truth)) < error
    return np.where(wrong, (truth + 1) % classes, truth)


def test_the_share_of_right_answers_is_counted_and_other_metrics_are_drawn():
    generator = np.random.default_rng(1)
    truth = np.repeat([0, 1, 2], [200, 60, 40])
    old, new = (classes(noisy(generator, truth, error), truth) for error in (0.2, 0.1))
    counted = compare(Scorer, "share", old, new)
    assert isinstance(counted.known, Paired)
    assert counted == compare_rights("share", rights(old), rights(new))
    drawn = compare(Scorer, "recall", old, new)
    assert isinstance(drawn.known, Resampled)
    assert drawn.low < drawn.gain < drawn.high
    assert drawn.as_json().keys() == {"metric", "champion", "challenger", "gain", "low", "high", "rows"}


def test_where_less_is_better_the_sign_turns():
    generator = np.random.default_rng(2)
    truth = generator.normal(size=300)
    old, new = ((Predictions(truth + generator.normal(0, s, 300)), truth) for s in (1.0, 0.5))
    found = compare(Scorer, "rmse", old, new)
    assert 0.3 < found.gain < 0.7
    assert found.low > 0
    assert found.p_better(0.01) <= 0.01
    assert compare(Scorer, "rmse", new, old).p_better(0.01) > 0.5


def test_equal_answers_are_no_proof_on_few_rows():
    truth = np.repeat([0, 1, 2], [15, 10, 5])
    same = classes(np.where(truth == 2, 0, truth), truth)
    found = compare(Scorer, "recall", same, same)
    assert found.gain == 0
    assert found.known.lower(0.05) == pytest.approx(-np.log(20) / 30)
    assert found.p_better(0.05) > 0.05


def test_a_draw_without_a_value_is_left_out():
    truth = np.array([0] * 50 + [1] * 50 + [2])
    found = compare(Scorer, "picky", classes(np.zeros(101, int), truth), classes(truth, truth))
    assert np.isfinite([found.low, found.high]).all()


def test_a_challenger_may_know_more_classes():
    truth = ["en", "it", "nl"] * 40
    small = TextClassification(["en", "it"])
    large = TextClassification(["en", "it", "nl"])
    old = judge(small, {"logits": np.tile([[2.0, 0.0], [0.0, 2.0], [2.0, 0.0]], (40, 1))}, truth)
    new = judge(large, {"logits": np.tile(np.eye(3) * 3, (40, 1))}, truth)
    assert compare(Scorer, "share", old, new).gain == pytest.approx(1 / 3)
    found = compare(Scorer, "recall", old, new)
    assert found.gain == pytest.approx(1 / 3)
    assert found.p_better(0.001) <= 0.001


def test_the_swapping_test_keeps_its_level_on_few_rows():
    """Few telling rows and a rare class: where a normal approximation would promise too much."""
    generator = np.random.default_rng(5)
    truth = np.repeat([0, 1, 2], [70, 24, 6])
    won = {0.05: 0, 0.01: 0}
    for _ in range(50):
        old, new = (classes(noisy(generator, truth, 0.06), truth) for _ in range(2))
        p = compare(Scorer, "recall", old, new).p_better(0.02)
        for alpha in won:
            won[alpha] += p <= alpha
    # Binomial bounds at 0.999.
    assert won[0.05] <= 8
    assert won[0.01] <= 4


def test_rows_can_be_taken_by_mask():
    judged = classes([0, 1, 2], [0, 0, 2])
    predictions, references = take(judged, np.array([True, False, True]))
    assert predictions.values.tolist() == references.tolist() == [0, 2]
    assert rights((Predictions(np.ones((2, 3), dtype=int), None, ("a", "b")), np.ones((2, 3)))) is None


class Summed(MacroRecall):
    """The same, from sums over rows."""

    def parts(self, predictions, references):
        classes = len(predictions.labels)
        right = np.eye(classes)[references] * (predictions.values == references)[:, None]
        return np.concatenate([right, np.eye(classes)[references]], axis=1)

    def joined(self, sums):
        right, there = np.split(sums, 2, axis=-1)
        return np.array([(r[t > 0] / t[t > 0]).mean() for r, t in zip(right, there, strict=True)])


def test_a_metric_that_is_made_of_sums_is_compared_without_reading_the_rows_again():
    generator = np.random.default_rng(3)
    truth = generator.integers(0, 3, 200)
    old, new = (classes(noisy(generator, truth, error), truth) for error in (0.2, 0.1))

    class Either:
        metrics = MappingProxyType({"rows": MacroRecall(), "sums": Summed()})

    slow, fast = (compare(Either(), name, old, new) for name in ("rows", "sums"))
    assert (fast.gain, fast.low, fast.high) == pytest.approx((slow.gain, slow.low, slow.high))
    assert fast.p_better(0.05) == pytest.approx(slow.p_better(0.05))


def test_a_row_more_is_no_proof_though_the_metric_is_computed_in_float32():
    from tuneloop_torchmetrics.classification import MacroF1

    scorer = SimpleNamespace(metrics={"macro_f1": MacroF1()})
    labels = np.array([number % 2 for number in range(117)])
    before, after = labels.copy(), labels.copy()
    before[:8], after[1:8] = 1 - labels[:8], 1 - labels[1:8]

    def judged(values):
        scores = np.eye(2, dtype=np.float32)[values]
        return Predictions(values, scores, ("low", "high")), labels

    found = compare(scorer, "macro_f1", judged(before), judged(after))
    assert 0 < found.gain < 0.01
    assert found.p_better(0.025) == pytest.approx(0.5, abs=0.2)


@pytest.mark.parametrize(
    ("name", "known", "held"),
    [("label_f1", "bac", "abc"), ("subset_accuracy", "ca", "abc"), ("label_f1", "ab", "ab"), ("auroc", "ca", "abc")],
)
def test_rows_of_any_number_of_labels_are_compared_label_by_label(name, known, held):
    """The champion's labels stand in another order, or lack one that rows have, or have not: that changes nothing."""
    metric = next(metric for metric in tuneloop_metrics() if metric.name == name)()
    random = np.random.default_rng(3)
    applies = (random.random((80, 3)) < 0.4) & [label in held for label in "abc"]
    values = [["abc"[at] for at in np.flatnonzero(row)] for row in applies]
    better, worse = (random.normal(2.0 * applies - 1, spread).astype(np.float32) for spread in (1.0, 2.0))
    worse[:, [label not in known for label in "abc"]] = -1e9

    def judged(labels, logits):
        outputs = logits[:, ["abc".index(label) for label in labels]]
        return judge(MultiLabelClassification(tuple(labels)), {"logits": outputs}, values)

    scorer = SimpleNamespace(metrics={name: metric})
    found = compare(scorer, name, judged(known, worse), judged("abc", better))
    alike = compare(scorer, name, judged("abc", worse), judged("abc", better))
    assert list(found.as_json().values())[1:] == pytest.approx(list(alike.as_json().values())[1:], abs=1e-6)
    assert found.low < found.gain < found.high
