"""Values are drawn from what the project allows, and only from that."""

from __future__ import annotations

from itertools import islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuneloop.config.search import Choice, Search, Span
from tuneloop.pipeline.searching import drawing
from tuneloop.pipeline.searching.drawing import grid, parameters, values_of, within

optuna = pytest.importorskip("optuna")

whole = st.builds(lambda low, size: Span(low, low + size), st.integers(-1000, 1000), st.integers(1, 1000))
stepped = st.builds(
    lambda low, step, count: Span(low, low + step * count, step=step),
    st.integers(-100, 100),
    st.integers(1, 10),
    st.integers(1, 20),
)
real = st.builds(lambda low, size: Span(low, low + size), st.floats(-1e3, 1e3), st.floats(0.1, 1e3))
logs = st.builds(lambda low, factor: Span(low, low * factor, log=True), st.floats(1e-6, 1.0), st.floats(1.5, 1e6))
plain = st.one_of(st.none(), st.booleans(), st.integers(-5, 5), st.text("abc", max_size=3))
choices = st.lists(plain, min_size=1, max_size=5, unique_by=repr).map(
    lambda values: Choice(tuple(v for i, v in enumerate(values) if v not in values[:i]))
)
nested = st.just(Choice(([8], [16, 8], {"metric": "accuracy"})))
spaces = st.dictionaries(
    st.sampled_from(["tune.a", "tune.b", "model.c", "export.d"]),
    st.one_of(whole, stepped, real, logs, choices, nested),
    min_size=1,
)


@settings(max_examples=60, deadline=None)
@given(spaces, st.integers(0, 100), st.sampled_from(["tpe", "random"]))
def test_every_value_lies_in_the_space_and_comes_back_from_the_storage(space, count, sampler):
    search = Search(space, sampler=sampler)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(sampler=drawing.sampler(search, count))
    trial = study.ask()
    values = drawing.draw(trial, search, lambda values, path, value: True)
    assert values.keys() == space.keys()
    assert all(within(space[path], value) for path, value in values.items())
    assert all(isinstance(values[path], int) for path, one in space.items() if isinstance(one, Span) and one.whole)
    assert values_of(search, trial.params) == values
    again = optuna.create_study()
    again.enqueue_trial(parameters(search, values))
    assert drawing.draw(again.ask(), search, lambda values, path, value: True) == values


@given(st.dictionaries(st.sampled_from(["tune.a", "tune.b"]), st.one_of(stepped, choices), min_size=1))
def test_a_grid_has_every_combination_once(space):
    search = Search(space, sampler="grid")
    found = list(islice(grid(search), 500))
    assert all(found.count(one) == 1 for one in found[:20])
    assert all(within(space[path], value) for one in found for path, value in one.items())
    if len(found) < 500:
        sizes = [len({repr(one[path]) for one in found}) for path in space]
        assert len(found) == pytest.approx(sizes[0] * (sizes[1] if len(sizes) > 1 else 1))


def test_draws_after_equally_many_trials_are_equal():
    search = Search({"tune.a": Span(0.0, 1.0)}, seed=4)
    found = [
        drawing.draw(optuna.create_study(sampler=drawing.sampler(search, count)).ask(), search, lambda *_: True)
        for count in (0, 1, 0)
    ]
    assert found[0] == found[2] != found[1]


@pytest.mark.parametrize(
    ("given_", "value", "said"),
    [
        (Span(1, 5), 3, True),
        (Span(1, 5), 3.0, True),
        (Span(1, 5), 2.5, False),
        (Span(1, 5), True, False),
        (Span(1, 5), None, False),
        (Span(1.0, 5.0), 5.1, False),
        (Span(0, 10, step=5), 5, True),
        (Span(0, 10, step=5), 6, False),
        (Choice(("a", None)), None, True),
        (Choice(("a",)), "b", False),
    ],
)
def test_what_lies_within(given_, value, said):
    assert within(given_, value) is said
