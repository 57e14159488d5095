"""Slices with a planted weakness are found, and chance alone is not called one."""

import numpy as np
import pytest

from tuneloop.api import ABSENT, Predictions
from tuneloop.pipeline.evaluating.candidates import LIKENESS, candidates
from tuneloop.pipeline.evaluating.clusters import clusters
from tuneloop.pipeline.evaluating.mistakes import worst_mistakes
from tuneloop.pipeline.evaluating.weakest import weakest
from tuneloop.pipeline.evaluating.wrong import Wrongness, wrongness
from tuneloop.plugins import default_manager

COUNTED = "share of wrong answers"


def columns(rows, generator):
    return {
        "job": generator.choice(["clerk", "cook", "pilot", None], rows).tolist(),
        "age": generator.normal(40, 10, rows).tolist(),
        "text": ["x" * int(n) for n in generator.integers(1, 300, rows)],
        "words": [["w"] * int(n) for n in generator.integers(1, 30, rows)],
        "floor": generator.integers(0, 3, rows).tolist(),
    }


def test_every_kind_of_column_is_cut():
    generator = np.random.default_rng(0)
    found = candidates(columns(400, generator), ["a", "b"] * 200, np.arange(400) % 3)
    cuts = {(one.by, one.value) for one in found}
    assert {("job", "cook"), ("job", "missing"), ("floor", "1"), ("right answer", "a")} <= cuts
    assert (LIKENESS, "cluster 3 of 3") in cuts
    for by in ("age", "length of text (characters)", "length of words (items)"):
        mine = [one for one in found if one.by == by]
        assert len(mine) == 4
        assert sum(one.rows.sum() for one in mine) == 400


def test_small_parts_and_columns_of_free_text_are_left_out():
    rows = 60
    found = candidates({"name": [f"name {i}" for i in range(rows)], "rare": ["a"] * 50 + ["b"] * 10}, None, None)
    assert {one.by for one in found} == {"length of name (characters)"} or not found


def test_names_of_categories_are_not_cut_by_their_length():
    jobs = ["clerk", "sous-chef", "pilot", "archaeologist"] * 40
    assert {one.by for one in candidates({"job": jobs}, None, None)} == {"job"}


def test_personal_data_in_a_value_is_not_shown():
    values = ["ada@example.org"] * 30 + ["b"] * 30
    assert {one.value for one in candidates({"who": values}, None, None) if one.by == "who"} == {"[email]", "b"}


def test_a_planted_weakness_is_the_first_and_beyond_chance():
    generator = np.random.default_rng(1)
    cut = columns(600, generator)
    weak = np.array([job == "cook" for job in cut["job"]])
    wrong = (generator.random(600) < np.where(weak, 0.4, 0.1)).astype(float)
    found = weakest(candidates(cut, None, None), Wrongness(wrong, COUNTED))
    assert (found[0].by, found[0].value, found[0].proven) == ("job", "cook", True)
    assert found[0].error > 0.3 > 0.15 > found[0].rest
    assert all(weak[at] and wrong[at] for at in found[0].positions)


@pytest.mark.parametrize("kind", [COUNTED, "mean absolute error"])
def test_chance_is_rarely_taken_for_a_weakness(kind):
    proven = 0
    for seed in range(60):
        generator = np.random.default_rng(seed)
        wrong = (generator.random(300) < 0.2).astype(float) if kind == COUNTED else generator.exponential(size=300)
        found = weakest(candidates(columns(300, generator), None, None), Wrongness(wrong, kind))
        proven += any(one.proven for one in found)
    # At most one family of tests in twenty, and chance on top of that.
    assert proven <= 8


def test_no_errors_are_no_weakness():
    generator = np.random.default_rng(2)
    assert weakest(candidates(columns(200, generator), None, None), Wrongness(np.zeros(200), COUNTED)) == ()


def test_likeness_finds_the_groups_there_are():
    generator = np.random.default_rng(3)
    centres = np.eye(8)[:3] * 5
    group = np.arange(300) % 3
    found = clusters(centres[group] + generator.normal(size=(300, 8)) * 0.1)
    assert all(
        len(set(found[group == one].tolist()).intersection(found[group != one].tolist())) == 0 for one in range(3)
    )
    assert clusters(np.zeros((30, 4))).max() == 0
    assert clusters(np.ones((300, 4))).min() == 0


def texts(values):
    found = np.empty(len(values), dtype=object)
    found[:] = values
    return found


@pytest.mark.parametrize(
    ("judged", "expected"),
    [
        ((Predictions(np.array([0, 1]), None, ("a", "b")), np.array([0, 0])), [0, 1]),
        ((Predictions(np.array([1.0, 4.0])), np.array([1.5, 1.0])), [0.5, 3]),
        ((Predictions(np.array([[0, 1], [1, -2]]), None, ("a", "b")), np.array([[0, 0], [1, -2]])), [0.5, 0]),
        ((Predictions(np.array([[0, 1], [1, 1]]), None, ("a", "b")), np.array([[0, 1], [0, 0]])), [0, 1]),
        ((Predictions(texts(["x", "y"])), texts([("x", "z"), ("z",)])), [0, 1]),
    ],
)
def test_errors_of_every_kind_of_answer(judged, expected):
    assert wrongness(judged).values.tolist() == expected


@pytest.mark.parametrize(
    ("metric", "kind"), [("wer", "mean wer of a row"), ("chrf", "mean share of chrf lost in a row")]
)
def test_texts_are_told_apart_by_how_wrong_they_are(metric, kind):
    right = [("it rains in town",), ("it rains in town",), ("the sun is out", "sun"), ()]
    judged = Predictions(texts(["it rains in tow", "all else is nought", "sun", "said"])), texts(right)
    near, far, exact, unasked = (found := wrongness(judged, [default_manager().create("metric", metric)])).values
    assert (found.kind, found.counted) == (kind, False)
    assert 0 == exact < near < far <= unasked == 1
    assert [one.position for one in worst_mistakes(judged, found)] == [1, 3, 0] if metric == "wer" else [3, 1, 0]


def test_a_metric_that_tells_wrong_texts_apart_no_further_leaves_them_right_or_wrong():
    exact = default_manager().create("metric", "exact_match")
    judged = Predictions(texts(["x", "y", "z"])), texts([("x",), ("a",), ("b",)])
    found = wrongness(judged, [exact])
    assert (found.values.tolist(), found.kind, found.counted) == ([0, 1, 1], "share of wrong answers", True)


def test_texts_that_surprise_a_model_of_language_come_first():
    logits = np.log(np.array([[0.5, 0.5], [0.1, 0.1], [0.25, 1.0]]))
    logits[2, 1] = ABSENT
    judged = Predictions(logits), texts(["often", "seldom", "short"])
    found = wrongness(judged, [default_manager().create("metric", "perplexity")])
    assert found.values.tolist() == pytest.approx([2, 10, 4])
    assert found.kind == "mean perplexity of a row"
    first = worst_mistakes(judged, found)[0]
    assert (first.right, first.answered, first.weight) == ("seldom", "", pytest.approx(10))


def test_answers_that_are_neither_right_nor_near_have_none():
    assert wrongness((Predictions(np.zeros((2, 3))), np.zeros(2))) is None
    assert wrongness((Predictions(np.zeros(0)), np.zeros(0))) is None
