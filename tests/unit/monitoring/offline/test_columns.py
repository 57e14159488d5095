from __future__ import annotations

import datetime
import math
from typing import Any

import numpy as np
import pytest

from tuneloop.api import DataError
from tuneloop.monitoring.offline.columns import Columns, compare_columns

ROWS = 60
OTHER = [float(i * 37 % 61) / 3 for i in range(ROWS)]


def read(reference: list[Any], current: list[Any], **options: Any) -> Columns:
    return compare_columns({"x": reference, "other": OTHER}, {"x": current, "other": OTHER}, **options)


def kind_of(values: list[Any]) -> str:
    samples = {sample.label: sample for sample in read(values, values).samples}
    return samples["x"].kind


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([1, 2.5, None, math.nan] * 15, "number"),
        ([True, False, None] * 20, "category"),
        (["red", "green", None, "red"] * 15, "category"),
        ([f"a message that begins with {i} and goes on" for i in range(ROWS)], "text"),
    ],
)
def test_kinds(values: list[Any], kind: str) -> None:
    assert kind_of(values) == kind


def test_missing_values_are_kept() -> None:
    found = read([1.0, None, math.nan], [None, 2, 3]).samples[0]
    assert np.isnan(found.reference).tolist() == [False, True, True]
    texts = read(["a", None], [None, "b"]).samples[0]
    assert texts.reference.tolist() == ["a", None]


@pytest.mark.parametrize(
    "values",
    [
        [datetime.datetime(2026, 1, 1), datetime.datetime(2026, 1, 2)],
        [datetime.date(2026, 1, 1), None],
        ["2026-01-01 10:00:00", "2026-01-02T11:00:00", None],
    ],
)
def test_a_time_is_named_and_left_out(values: list[Any]) -> None:
    assert read(values, values).left_out["x"].startswith("a time")


def test_a_time_can_be_asked_for() -> None:
    found = read(["2026-01-01", "2026-01-02"], ["2026-01-03"], include=["x"])
    assert [sample.label for sample in found.samples] == ["x", "other"]


def test_other_left_out_columns() -> None:
    assert "neither numbers nor texts" in read([[1], [2]], [[3]]).left_out["x"]
    assert "no value" in read([None], [math.nan]).left_out["x"]
    assert read([1.0], [2.0], exclude=["x"]).left_out["x"] == "excluded by name"


def test_a_column_that_is_empty_now_is_compared() -> None:
    found = read([1.0, 2.0], [None, None])
    assert np.isnan(found.samples[0].current).all()


def test_changes_need_no_test() -> None:
    found = compare_columns({"gone": [1], "other": [1.0], "x": [1]}, {"other": [2.0], "new": [1], "x": ["one"]})
    assert found.changes == (
        "column 'gone' is only in the reference rows",
        "column 'x' holds numbers in the reference and texts in the current rows",
        "column 'new' is only in the current rows",
    )


def test_nothing_to_compare() -> None:
    with pytest.raises(DataError, match="no column in common: the reference has a; the current rows have b"):
        compare_columns({"a": [1]}, {"b": [1]})
    with pytest.raises(DataError, match=r"no column to compare .*a: excluded by name"):
        compare_columns({"a": [1]}, {"a": [1]}, exclude=["a"])
    with pytest.raises(DataError, match="no column 'aa' to include or exclude; there are: a"):
        compare_columns({"a": [1]}, {"a": [1]}, include=["aa"])
