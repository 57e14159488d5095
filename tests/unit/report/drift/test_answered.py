from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.unit.serving.conftest import make_artifact, make_rows

from tuneloop.api import DataError
from tuneloop.report.drift.answered import answer_rows, signals_of
from tuneloop.serving.loader import Loaded, load_version


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    return load_version(make_artifact(tmp_path_factory.mktemp("model") / "artifact").folder, "1")


def test_every_signal_of_every_row(loaded: Loaded) -> None:
    rows = make_rows(300)
    found = answer_rows(loaded, signals_of(loaded), rows, "rows.csv")
    assert {"column:age", "column:job", "answer", "confidence", "entropy", "embedding_00"} <= set(found.values)
    assert all(len(values) == 300 for values in found.values.values())
    np.testing.assert_array_equal(found.values["column:age"], [row["age"] for row in rows])
    expected = loaded.predictor.predict([rows[299]]).answers[0]
    assert found.values["answer"][299] == expected["label"]
    assert found.refused == {}


def test_rows_the_model_refuses_are_counted_and_the_others_keep_their_numbers(loaded: Loaded) -> None:
    rows: list[dict[str, Any]] = make_rows(5)
    rows[1] = {**rows[1], "age": "old"}
    rows[3] = {**rows[3], "age": "older"}
    found = answer_rows(loaded, signals_of(loaded), rows, "rows.csv")
    assert found.numbers == [1, 3, 5]
    assert sum(found.refused.values()) == 2
    assert all(reason.startswith("refused by the model: ") for reason in found.refused)


def test_columns_the_model_does_not_take_are_not_looked_at(loaded: Loaded) -> None:
    rows = [{**row, "colour": "red"} for row in make_rows(3)]
    assert len(answer_rows(loaded, signals_of(loaded), rows, "rows.csv").rows) == 3


def test_what_cannot_be_answered(loaded: Loaded) -> None:
    signals = signals_of(loaded)
    with pytest.raises(DataError, match=r"rows\.csv lacks the column 'job', which the model takes; it has: age, hours"):
        answer_rows(loaded, signals, [{"age": 3.0, "hours per week": 1.0}], "rows.csv")
    bad = [{**row, "age": "old"} for row in make_rows(2)]
    with pytest.raises(DataError, match=r"took none of 2 rows \(refused by the model"):
        answer_rows(loaded, signals, bad, "rows.csv")


def test_signals_can_be_left_out(loaded: Loaded) -> None:
    labels = {signal.label for signal in signals_of(loaded, ["embedding", "answer"])}
    assert "answer" not in labels
    assert not any(label.startswith("embedding") for label in labels)
