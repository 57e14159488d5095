from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneloop.api import Columns
from tuneloop.config.project import Split
from tuneloop.pipeline.findings.schema import empty_columns, missing, numbers_as_texts, table_of_columns


def rows_of(values: list[Any]) -> list[dict[str, Any]]:
    return [{"x": value} for value in values]


@pytest.mark.parametrize(
    "written", [str, " -{}.125 ".format, "{},25".format, "{},000.50".format, "{}e3".format, ".{}".format]
)
def test_numbers_among_which_are_other_texts_are_told_with_the_rows_of_those(written: Any) -> None:
    values: list[Any] = [written(i) for i in range(60)]
    [found] = numbers_as_texts(rows_of(values), ["x"])
    assert (found["name"], found["rows"]) == ("schema", [0, 1, 2, 3, 4])
    assert "the 60 values of column 'x' are numbers stored as texts" in found["text"]
    values[7], values[30], values[31], values[32] = "secret", "12 or 13", None, " "
    [found] = numbers_as_texts(rows_of(values), ["x"])
    assert (found["name"], found["rows"]) == ("schema", [7, 30])
    assert "column 'x' is mixed: 56 values are numbers, 2 are texts that are none" in found["text"]
    assert "secret" not in found["text"]


@pytest.mark.parametrize(
    "values",
    [
        [str(i % 3) for i in range(200)],
        [f"{i:05d}" for i in range(200)],
        [f"{i:04d}" for i in range(8_000, 10_000, 7)] + ["0812"],
        [str(90_000 + i * 7) for i in range(200)],
        [float(i) for i in range(200)],
        [f"room {i}" for i in range(200)],
        [*map(str, range(50)), *(f"room {i}" for i in range(50))],
        [f"2026-11-{i % 28 + 1:02d}" for i in range(200)],
        ["nan", "inf", "-", ".", "0x1f"] * 40,
        [True, None] * 100,
        [["1"], ["2"]] * 100,
        [None] * 200,
        [],
    ],
    ids=str,
)
def test_names_of_classes_codes_and_other_texts_are_none(values: list[Any]) -> None:
    assert numbers_as_texts(rows_of(values), ["x"]) == []


@given(st.lists(st.text() | st.none(), max_size=60))
def test_any_texts_can_be_looked_at(values: list[Any]) -> None:
    for found in numbers_as_texts(rows_of(values), ["x"]):
        assert set(found["rows"]) <= set(range(len(values)))


def test_a_column_without_any_value_is_told_beside_what_is_missing() -> None:
    rows = [{"a": None, "b": "", "c": float("nan")}, {"a": 1, "b": "", "c": 2.0}]
    counts, found = missing(rows, ["a", "b", "c"])
    assert counts == {"a": 1, "b": 2, "c": 1}
    assert [one["rows"] for one in found] == [[0], [0, 1], [0]]
    [empty] = empty_columns(counts, len(rows))
    assert (empty["name"], empty["rows"]) == ("schema", [0, 1])
    assert "column 'b' holds nothing:" in empty["text"]


def test_each_column_is_listed_with_its_use_and_type() -> None:
    datasets = pytest.importorskip("datasets")
    rows = datasets.Dataset.from_dict({"id": [1, 2], "said": ["x", None], "words": [["a"], []], "team": ["r", "s"]})
    split = Split(0.1, 0.1, 0.1, key="id", seed=0, group="team")
    found = table_of_columns(
        rows, Columns({"text": "said", "team": "team"}, target="words"), split, {"said": 1, "words": 0}
    )
    assert [tuple(one.values()) for one in found] == [
        ("id", "key", "int64", None),
        ("said", "text", "string", 1),
        ("words", "answer", "list<item: string>", 0),
        ("team", "input, group", "string", None),
    ]
