"""What a search does with its trials: none is repeated, none is lost, and a kill changes nothing."""

from __future__ import annotations

from collections import Counter

import pytest

from tuneloop.api import ConfigError, Outcome, RunError
from tuneloop.config.search import Choice
from tuneloop.pipeline.searching.record import best_of
from tuneloop.pipeline.searching.study import ATTEMPTS

OWN = {"tune.rate": 0.001, "tune.size": 32, "tune.depth": 2}


class Killed(BaseException):
    """The process ends here."""


def states(rows):
    return dict(Counter(row.state for row in rows))


def test_it_begins_with_the_projects_own_values_and_finds_better_ones(drive, tmp_path, world, search):
    rows = drive(world.plan(tmp_path, search(trials=25), own=OWN), world.run_many)
    assert rows[0].values == OWN
    assert len(rows) == 25
    assert states(rows) == {"complete": 25}
    best = best_of(rows, maximize=True)
    assert best.value > rows[0].value + 0.2
    assert [row.number for row in world.told] == [row.number for row in rows]


def test_values_that_the_space_lacks_are_no_beginning(drive, tmp_path, world, search):
    rows = drive(world.plan(tmp_path, search(trials=1), own={**OWN, "tune.size": 64}), world.run_many)
    assert rows[0].values["tune.size"] in (8, 16, 32)


def test_equal_seeds_search_alike_and_others_do_not(drive, tmp_path, worlds, search):
    found = []
    for place, seed in enumerate((1, 1, 2)):
        (tmp_path / str(place)).mkdir()
        world = worlds()
        rows = drive(world.plan(tmp_path / str(place), search(seed=seed)), world.run_many)
        found.append([row.values for row in rows])
    assert found[0] == found[1] != found[2]


@pytest.mark.parametrize("sampler", ["tpe", "random"])
def test_a_search_that_is_killed_goes_on_as_if_it_had_not_been(drive, tmp_path, worlds, search, sampler, answered):
    (tmp_path / "whole").mkdir()
    world = worlds()
    whole = drive(world.plan(tmp_path / "whole", search(sampler=sampler), own=OWN), world.run_many)

    left = [3, 0, 4]
    done = []

    def dies(argument):
        if left and left[0] == 0:
            left.pop(0)
            raise Killed
        if left:
            left[0] -= 1
        done.append(argument["values"])
        from tests.unit.pipeline.searching.conftest import quality

        return answered(quality(argument["values"]))

    while True:
        again = worlds(dies)
        try:
            rows = drive(again.plan(tmp_path, search(sampler=sampler), own=OWN), again.run_many)
            break
        except Killed:
            continue
    ended = [row for row in rows if row.state != "lost"]
    assert [row.values for row in ended] == [row.values for row in whole]
    assert [row.value for row in ended] == [row.value for row in whole]
    assert len(rows) - len(ended) == 3
    assert done == [row.values for row in whole], "nothing that ended was done again"


def test_a_finished_search_does_nothing_when_it_is_run_again(drive, tmp_path, world, worlds, search):
    rows = drive(world.plan(tmp_path, search()), world.run_many)
    again = worlds()
    assert drive(again.plan(tmp_path, search()), again.run_many) == rows
    assert again.done == []


def test_a_trial_whose_process_dies_is_begun_again(drive, tmp_path, worlds, search, answered):
    deaths = Counter()

    def dies(argument):
        key = str(argument["values"])
        deaths[key] += 1
        if argument["values"]["tune.size"] == 8 and deaths[key] < ATTEMPTS:
            return None
        return answered(argument["values"]["tune.rate"])

    world = worlds(dies)
    world.answer_to = lambda argument: dies(argument) or "dead"
    original = world._outcome

    def outcome(position, argument):
        found = original(position, argument)
        return Outcome(position, error="its process was ended by SIGKILL") if found.answer == "dead" else found

    world._outcome = outcome
    rows = drive(world.plan(tmp_path, search(parallel=2)), world.run_many)
    ended = [row for row in rows if row.state == "complete"]
    assert len(ended) == 12
    small = [row for row in ended if row.values["tune.size"] == 8]
    assert small
    assert states(rows)["lost"] == (ATTEMPTS - 1) * len(small)
    assert all("SIGKILL" in row.reason for row in rows if row.state == "lost")


def test_a_trial_whose_process_always_dies_fails_and_the_search_goes_on(drive, tmp_path, worlds, search, answered):
    world = worlds()
    attempts = Counter()

    def outcome(position, argument):
        if argument["values"]["tune.size"] == 8:
            attempts[str(argument["values"])] += 1
            return Outcome(position, error="its process was ended by SIGKILL")
        return Outcome(position, answered(0.5))

    world._outcome = outcome
    rows = drive(world.plan(tmp_path, search()), world.run_many)
    failed = [row for row in rows if row.state == "failed"]
    assert failed
    assert all(f"died {ATTEMPTS} times" in row.reason for row in failed)
    assert set(attempts.values()) == {ATTEMPTS}
    assert len(failed) + states(rows)["complete"] == 12


def test_equal_options_are_tried_once(drive, tmp_path, worlds, search, answered):
    space = {"tune.size": Choice((8, 16))}
    for parallel in (1, 3):
        folder = tmp_path / str(parallel)
        folder.mkdir()
        world = worlds(lambda argument: answered(argument["values"]["tune.size"] / 100))
        rows = drive(world.plan(folder, search(space=space, trials=8, parallel=parallel)), world.run_many)
        assert sorted(values["tune.size"] for values in world.done) == [8, 16]
        assert len(rows) == 8
        assert {row.value for row in rows} == {0.08, 0.16}
        assert sum(row.twin is not None for row in rows) == 6


def test_what_fails_or_is_pruned_is_counted_and_never_best(drive, tmp_path, worlds, search, answered):
    def mixed(argument):
        size = argument["values"]["tune.size"]
        if size == 8:
            return answered(state="failed", reason="CUDA out of memory")
        return answered(state="pruned") if size == 32 else answered(0.1)

    rows = drive(worlds(mixed).plan(tmp_path, search(trials=15)), worlds(mixed).run_many)
    assert sum(states(rows).values()) == 15
    assert best_of(rows, maximize=True).values["tune.size"] == 16
    assert {row.reason for row in rows if row.state == "failed"} == {"CUDA out of memory"}


def test_no_success_is_an_error_and_hopeless_searches_end_early(drive, tmp_path, worlds, search, answered):
    world = worlds(lambda argument: answered(state="failed", reason="the disk is full"))
    with pytest.raises(RunError, match=r"no trial of the search succeeded, of 5. The last one: the disk is full"):
        drive(world.plan(tmp_path, search(trials=50)), world.run_many)
    assert len(world.done) == 5


def test_options_that_do_not_go_together_fail_without_being_tried(drive, tmp_path, world, search):
    def check(values):
        if values["tune.size"] == 8:
            raise ConfigError(["tune.size: too small for this depth"])

    rows = drive(world.plan(tmp_path, search(trials=15), check=check), world.run_many)
    assert all(values["tune.size"] != 8 for values in world.done)
    failed = [row for row in rows if row.state == "failed"]
    assert failed
    assert "too small" in failed[0].reason


def test_the_time_ends_a_search_but_never_before_one_trial(drive, tmp_path, world, search):
    now = iter(range(0, 10_000, 10))
    rows = drive(world.plan(tmp_path, search(timeout=35.0), clock=lambda: float(next(now))), world.run_many)
    assert len(rows) == 3


def test_what_no_longer_wins_is_removed_and_the_best_stays(drive, tmp_path, worlds, search, answered):
    values = iter([0.1, 0.5, 0.3, 0.9, 0.2])
    numbers = iter(range(5))
    world = worlds(lambda argument: answered(next(values), folders=[f"tune-{next(numbers)}"]))
    drive(world.plan(tmp_path, search(trials=5)), world.run_many)
    assert world.dropped == ["tune-0", "tune-2", "tune-1", "tune-4"]


def test_options_of_the_drawn_plugin_alone_are_drawn(drive, tmp_path, world, search):
    space = {"tune.epochs": Choice((1, 2)), "tune.head_epochs": Choice((3,)), "tune.strategy": Choice(("full", "slow"))}

    def applies(values, path, value):
        assert "tune.strategy" in values
        return path != "tune.head_epochs" or values["tune.strategy"] == "slow"

    rows = drive(world.plan(tmp_path, search(space=space), applies=applies), world.run_many)
    assert all(("tune.head_epochs" in row.values) == (row.values["tune.strategy"] == "slow") for row in rows)


def test_a_grid_tries_every_combination_once_in_order(drive, tmp_path, world, worlds, search):
    space = {"tune.size": Choice((8, 16)), "tune.depth": search().space["tune.depth"]}
    plan = world.plan(tmp_path, search(space=space, sampler="grid", trials=100))
    rows = drive(plan, world.run_many)
    assert [(row.values["tune.size"], row.values["tune.depth"]) for row in rows] == [
        (size, depth) for size in (8, 16) for depth in range(1, 6)
    ]
    again = worlds()
    assert len(drive(again.plan(tmp_path, search(space=space, sampler="grid", trials=100)), again.run_many)) == 10
    assert again.done == []


def test_smaller_is_better_where_the_metric_says_so(drive, tmp_path, worlds, search, answered):
    world = worlds(lambda argument: answered(argument["values"]["tune.rate"]))
    rows = drive(world.plan(tmp_path, search(), maximize=False), world.run_many)
    assert best_of(rows, maximize=False).value == min(row.value for row in rows)
