from __future__ import annotations

from typing import Any

import pytest

from tuneloop.api import DataError
from tuneloop.pipeline.data.slices import check_slices

INPUTS = ("age", "job", "when", "user", "note")
KINDS = ("answer", "characters", "column-category")
ROWS: list[dict[str, Any]] = [
    {
        "age": float("nan") if n % 9 == 0 else 20 + n % 50,
        "job": ("cook", "pilot", None)[n % 3],
        "when": 1_700_000_000 + 60 * n,
        "user": f"u{n:04d}",
        "note": f"a few words about {n}",
    }
    for n in range(200)
]


def check(*wanted: str) -> None:
    check_slices(wanted, ROWS, INPUTS, ("note",), KINDS)


def test_columns_answers_and_plugin_signals_are_taken() -> None:
    check()
    check("age", "job", "column:job", "answer", "confidence", "characters:note")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("when", "'when' is no slice: monotone: rows are sorted by it"),
        ("user", "'user' is no slice: unique: no value occurs twice"),
        ("note", "'note' is no slice: it is no number and no category"),
        ("jop", "'jop' is no column of a request"),
        ("length", "'length' is no column of a request"),
    ],
)
def test_what_cuts_nothing_is_refused_before_training(name: str, said: str) -> None:
    with pytest.raises(DataError) as error:
        check("job", name)
    assert said in str(error.value)
    assert "It may name: age, job, answer, confidence" in str(error.value)
