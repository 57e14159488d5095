from __future__ import annotations

from typing import Any

import pytest
from tests.unit.serving.conftest import make_artifact, make_rows

from tuneloop.api import DataError
from tuneloop.monitoring.offline.study import Settings
from tuneloop.report.drift.models import compare_answered
from tuneloop.serving.loader import Loaded, load_version

ALONE = Settings(permutations=0)


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    return load_version(make_artifact(tmp_path_factory.mktemp("model") / "artifact").folder, "1")


def older(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{**row, "age": row["age"] + 30} for row in rows]


def test_rows_against_rows(loaded: Loaded) -> None:
    before, now = make_rows(400, 1), make_rows(400, 2)
    same = compare_answered(loaded, ("before", before), ("now", now), ALONE)
    moved = compare_answered(loaded, ("before", before), ("now", older(now)), ALONE)
    assert same.study.outcome == "stable"
    assert moved.study.outcome == "drift"
    assert "column:age" in {test.label for test in moved.study.signals if test.verdict == "drift"}
    assert "column:job" not in {test.label for test in moved.study.signals if test.verdict == "drift"}


def test_the_joint_test_shows_the_rows_as_the_model_takes_them(loaded: Loaded) -> None:
    settings = Settings(permutations=39, telling=2)
    rows = [{**row, "colour": "red"} for row in older(make_rows(80, 2))]
    found = compare_answered(loaded, ("before", make_rows(80, 1)), ("now", rows), settings, exclude=["embedding"])
    assert found.study.joint_drift
    assert [set(row.values) for row in found.rows] == [{"age", "hours per week", "job"}] * 2


def test_rows_against_the_holdout(loaded: Loaded) -> None:
    found = compare_answered(loaded, None, ("now", older(make_rows(200, 2))), Settings())
    assert found.reference == "the model's holdout"
    assert found.study.rows == (40, 200)
    assert found.study.outcome == "drift"
    assert found.study.joint is None
    assert "name rows with --reference" in found.study.without_joint


def test_refused_rows_are_counted(loaded: Loaded) -> None:
    broken = [*make_rows(100, 2), {"age": "old", "hours per week": 1.0, "job": "cook"}]
    found = compare_answered(loaded, ("before", broken), ("now", broken), ALONE)
    assert sum(found.dropped.values()) == 2
    assert found.study.rows == (100, 100)


def test_signals_that_are_left_out(loaded: Loaded) -> None:
    rows = make_rows(60, 1)
    found = compare_answered(loaded, ("a", rows), ("b", rows), ALONE, exclude=["embedding", "answer"])
    assert found.left_out == {"embedding": "excluded by name", "answer": "excluded by name"}
    assert "answer" not in {test.label for test in found.study.signals}
    with pytest.raises(DataError, match="there is no signal 'nonsense'; there are: answer, "):
        compare_answered(loaded, ("a", rows), ("b", rows), ALONE, exclude=["nonsense"])
