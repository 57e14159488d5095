from __future__ import annotations

import random

from tuneloop.pipeline.findings.outliers import outliers


def column(values: list[float | None]) -> list[dict[str, float | None]]:
    return [{"x": value} for value in values]


def test_a_code_for_no_value_is_found() -> None:
    chance = random.Random(1)
    values: list[float | None] = [chance.gauss(20, 3) for _ in range(1000)]
    values[7] = values[500] = -999.0
    values[8] = None
    values[9] = float("nan")
    [found] = outliers(column(values), ["x"])
    assert found["name"] == "outliers"
    assert found["rows"] == [7, 500]
    assert "2 values far from all others, such as -999" in found["text"]


def test_long_tails_constants_and_few_rows_are_none() -> None:
    chance = random.Random(2)
    assert outliers(column([chance.paretovariate(0.5) for _ in range(1000)]), ["x"]) == []
    assert outliers(column([0.0] * 999 + [5.0]), ["x"]) == []
    assert outliers(column([1.0, 2.0, 1e9]), ["x"]) == []
    assert outliers([{"x": "text"}] * 50, ["x"]) == []
