import math

import numpy as np
import pytest

from tuneloop.api import ABSENT, NO_PLACE, DataError, Metric, UndefinedMetricError
from tuneloop.config import load_project
from tuneloop.pipeline.comparing.comparison import compare
from tuneloop.pipeline.evaluating.figures import metric_interval
from tuneloop.pipeline.evaluating.scoring import Scorer, decoded, judge, same
from tuneloop.plugins import default_manager
from tuneloop.tasks.tabular_regression import TabularRegression
from tuneloop.tasks.text_classification import TextClassification
from tuneloop.tasks.token_classification import TokenClassification

TASK = TextClassification(["en", "it"])


class Share(Metric):
    """The share of right answers."""

    name, maximize, kinds = "share", True, frozenset({"classification"})

    def compute(self, predictions, references):
        return float((predictions.values == references).mean())


class Error(Metric):
    """The mean distance."""

    name, maximize, kinds = "error", False, frozenset({"regression"})

    def compute(self, predictions, references):
        return float(np.abs(predictions.values - references).mean())


class Undefined(Metric):
    """Has a value only where there are two classes."""

    name, maximize, kinds = "undefined", True, frozenset({"classification"})

    def compute(self, predictions, references):
        if len(set(references.tolist())) < 2:
            raise DataError("all rows are of one class")
        return 0.5


class Endless(Share):
    """Never finite."""

    def compute(self, predictions, references):
        return math.inf


class Metrics:
    def __init__(self, **metrics):
        self.metrics = metrics


def test_a_label_the_model_does_not_know_is_a_wrong_answer_with_a_place():
    logits = np.array([[2.0, 0.0], [0.0, 2.0], [2.0, 0.0]], dtype=np.float32)
    predictions, references = judge(TASK, {"logits": logits}, ["en", "it", "nl"])
    assert predictions.labels == ("en", "it", "nl")
    assert references.tolist() == [0, 1, 2]
    assert predictions.scores.shape == (3, 3)
    assert Share().compute(predictions, references) == pytest.approx(2 / 3)


def test_a_metric_without_a_value_is_left_out_and_said_once(table_project, caplog):
    plugins = default_manager()
    scorer = Scorer(load_project(table_project, plugins), plugins)
    scorer.metrics = {"share": Share(), "undefined": Undefined(), "endless": Endless()}
    both = judge(TASK, {"logits": np.eye(2, dtype=np.float32)}, ["en", "it"])
    one = judge(TASK, {"logits": np.eye(2, dtype=np.float32)}, ["en", "en"])
    assert scorer.score(*both) == {"share": 1.0, "undefined": 0.5}
    assert scorer.score(*one) == scorer.score(*one) == {"share": 0.5}
    said = [record.message for record in caplog.records]
    assert said == [
        "metric 'endless' has no value on 2 rows: it gave inf; it is left out there",
        "metric 'undefined' has no value on 2 rows: all rows are of one class; it is left out there",
    ]
    with pytest.raises(UndefinedMetricError, match="'undefined' has no value on 2 rows: all rows are of one class; "):
        scorer.score(*one, ("undefined",))
    assert scorer.needed == ("macro_f1",)
    assert scorer.told({"test": {"macro_f1": 0.5}, "golden": {}}) == {"test macro_f1": 0.5}
    assert metric_interval(Undefined(), one) is None


def test_the_strategy_sees_metrics_in_the_target_unit():
    task = TabularRegression(mean=100.0, scale=10.0)
    predictions, references = decoded(task, np.array([[1.0]]), np.array([2.0], dtype=np.float32))
    assert predictions.values.tolist() == [110.0]
    assert references.tolist() == [120.0]


def test_same_answers_are_equal_labels_or_close_values():
    first, _ = judge(TASK, {"logits": np.array([[1.0, 0.0], [0.0, 1.0]])}, ["en", "en"])
    second, _ = judge(TASK, {"logits": np.array([[0.9, 0.0], [1.0, 0.0]])}, ["en", "en"])
    assert same(first, second, 1e-3).tolist() == [True, False]
    task = TabularRegression(0.0, 1.0)
    near = task.predictions({"logits": np.array([[1.0], [1.0]])})
    far = task.predictions({"logits": np.array([[1.0001], [1.1]])})
    assert same(near, far, 1e-3).tolist() == [True, False]


def test_a_comparison_says_how_much_better_and_how_sure():
    truth = ["en"] * 50 + ["it"] * 50
    right = np.array([[1.0, 0.0]] * 50 + [[0.0, 1.0]] * 50)
    poor = np.array([[1.0, 0.0]] * 100)
    found = compare(
        Metrics(share=Share()), "share", judge(TASK, {"logits": poor}, truth), judge(TASK, {"logits": right}, truth)
    )
    assert (found.champion, found.challenger, found.gain) == (0.5, 1.0, 0.5)
    assert 0.35 < found.low < 0.5 < found.high < 0.65
    assert "0.5000 -> 1.0000 on 100 rows" in str(found)


def test_where_less_is_better_a_smaller_value_is_a_gain():
    task = TabularRegression(0.0, 1.0)
    truth = [0.0] * 20
    old, new = np.full((20, 1), 2.0), np.full((20, 1), 0.5)
    found = compare(
        Metrics(error=Error()), "error", judge(task, {"logits": old}, truth), judge(task, {"logits": new}, truth)
    )
    assert found.gain == 1.5


def tagged(*rows, places=4):
    """Logits that say these tags, at every second place."""
    logits = np.full((len(rows), places, 3), ABSENT, dtype=np.float32)
    for row, tags in enumerate(rows):
        for word, tag in enumerate(tags):
            logits[row, 2 * word] = np.eye(3)[tag]
    return {"logits": logits}


def test_words_are_judged_in_rows_of_their_own():
    task = TokenClassification(["O", "B-a", "I-a"])
    predictions, references = judge(task, tagged([0, 1], [2]), [["O", "B-new"], ["I-a"]])
    assert predictions.labels == ("O", "B-a", "I-a", "B-new")
    assert references.tolist() == [[0, 3], [2, NO_PLACE]]
    assert predictions.values.tolist() == [[0, 1], [2, NO_PLACE]]
    assert predictions.scores.shape == (2, 2, 4)


def test_one_other_tag_makes_another_answer():
    task = TokenClassification(["O", "B-a", "I-a"])
    first, second = (task.predictions(tagged([0, 1], [2], [tag])) for tag in (0, 1))
    assert same(first, second, 1e-3).tolist() == [True, True, False]


def test_labels_of_words_are_as_wide_as_the_longest_row_of_all():
    task = TokenClassification(["O", "B-a", "I-a"])
    labels = np.array([[0, 1, NO_PLACE], [2, NO_PLACE, NO_PLACE]])
    predictions, references = decoded(task, tagged([0, 1], [2])["logits"], labels)
    assert references.shape == predictions.values.shape == (2, 2)
