"""The checks and their words; and by simulation, what each rule lets pass."""

import numpy as np
import pytest
from tests.bench.gate.world import SUPERIORITY, World, by_estimate, ruled_out, share

from tuneloop.config.project import Proof
from tuneloop.pipeline.comparing.comparison import compare_rights
from tuneloop.pipeline.comparing.proof import Question, better, doubtful_labels, not_worse, slices_hold


def found(rows, won, lost, right=0.9):
    old = np.zeros(rows, dtype=bool)
    old[: round(right * rows)] = True
    new = old.copy()
    new[:lost] = False
    new[rows - won :] = True
    return compare_rights("accuracy", old, new)


def question(attempt=1, margin=0.02, **proof):
    return Question(Proof(**proof), margin, attempt)


def test_by_estimate_a_loss_within_the_margin_passes_and_what_is_not_proven_is_said():
    check = not_worse(question(), "the golden holdout", found(360, 4, 6))
    assert check.passed
    assert "gain -0.0056" in check.text
    assert "is not proven" in check.text
    assert "rows would do" in check.text
    assert not not_worse(question(), "the golden holdout", found(360, 0, 8)).passed
    # Enough rows: nothing is left to be said.
    assert "proven" not in not_worse(question(), "it", found(20_000, 100, 100)).text


def test_not_worse_is_to_be_proven_and_too_few_rows_are_named():
    check = not_worse(question(prove="not-worse"), "the golden holdout", found(200, 5, 5))
    assert not check.passed
    assert "attempt 1" in check.text
    assert "An equal one would pass with probability 0." in check.text
    assert not_worse(question(prove="not-worse"), "it", found(5000, 100, 100)).passed
    # What the first attempt proves, the fortieth does not.
    close = found(1000, 20, 20)
    assert not_worse(question(prove="not-worse"), "it", close).passed
    assert not not_worse(question(attempt=40, prove="not-worse"), "it", close).passed


def test_the_rows_that_would_do_would_do():
    text = not_worse(question(prove="not-worse"), "it", found(200, 6, 6)).text
    wanted = int(text.split("about ")[1].split(" rows")[0].replace(",", ""))
    assert share(World(wanted, 0.0, False), ruled_out(0.02), attempts=1, trials=300, seed=1) > 0.7


def test_better_must_be_proven_at_the_level_of_the_attempt():
    gained = found(100, 8, 0)
    assert better(question(), "new labelled rows", gained).passed
    late = better(question(attempt=10), "new labelled rows", gained)
    assert not late.passed
    assert "attempt 10" in late.text
    assert "p is 0.0039" in late.text


def test_a_slice_that_collapses_is_named():
    slices = {"job=cook": found(100, 2, 1), "job=pilot": found(80, 0, 30), "job=clerk": found(60, 0, 4)}
    check = slices_hold(question(), slices, 7)
    assert not check.passed
    assert "7 rows in smaller ones" in check.text
    assert "these are: job=pilot" in check.text
    assert "cook" not in check.text
    assert slices_hold(question(), {"job=clerk": found(60, 0, 4)}, 0).passed
    strict = slices_hold(question(prove="not-worse"), {"job=clerk": found(60, 0, 4)}, 0)
    assert not strict.passed
    assert "for these it is not: job=clerk" in strict.text


def test_many_equal_slices_are_seldom_accused():
    generator = np.random.default_rng(3)
    accused = 0
    for _ in range(300):
        slices = {}
        for name in range(30):
            old, new = (generator.random(60) < 0.9 for _ in range(2))
            slices[str(name)] = compare_rights("right", old, new)
        # A margin of 0 is the hardest case: every slice is at the border.
        accused += not slices_hold(question(slice_margin=0.0), slices, 0).passed
    assert accused / 300 < 0.09


def test_labels_that_both_contradict_are_wrong_labels():
    assert not doubtful_labels([True] * 36 + [False] * 164, [True] * 10 + [False] * 350, 0.1).passed
    assert doubtful_labels([True] * 10 + [False] * 190, [True] * 10 + [False] * 350, 0.1).passed
    # Too few rows to say so.
    assert doubtful_labels([True] * 2 + [False] * 8, [True] * 3 + [False] * 97, 0.1).passed
    assert doubtful_labels([False] * 10, [False] * 10, 0.1).passed


@pytest.mark.parametrize("fresh", [True, False])
@pytest.mark.parametrize("rows", [200, 1000])
def test_twenty_attempts_at_an_equal_model_promote_seldom_and_naively_nearly_always(rows, fresh):
    world = World(rows, 0.0, fresh)
    spent, anew, naive = (
        share(world, SUPERIORITY[name], attempts=20, trials=150, seed=2)
        for name in ("superiority, spent", "p <= .05 each time", "any gain")
    )
    assert spent < 0.08
    assert anew > 0.3
    assert naive > 0.95


@pytest.mark.parametrize(("rows", "gain", "least"), [(200, 0.05, 0.4), (1000, 0.05, 0.99), (1000, 0.02, 0.5)])
def test_a_better_model_is_promoted(rows, gain, least):
    rule = SUPERIORITY["superiority, spent"]
    assert share(World(rows, gain, True), rule, attempts=1, trials=300, seed=3) > least


@pytest.mark.parametrize(("rows", "gain", "most"), [(200, -0.05, 0.12), (1000, -0.05, 0.01), (1000, -0.02, 0.22)])
def test_a_worse_model_is_refused_by_estimate_and_by_proof(rows, gain, most):
    world = World(rows, gain, False)
    assert share(world, by_estimate(0.01), attempts=1, trials=300, seed=4) < most
    assert share(world, ruled_out(0.01), attempts=1, trials=300, seed=4) < min(most, 0.05)
    # Alpha is spent: trying twenty times does not help it.
    assert share(world, ruled_out(0.01), attempts=20, trials=100, seed=4) < 0.1
