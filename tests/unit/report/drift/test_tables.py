from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tuneloop.report.drift import DriftReport


def test_what_drifted_is_named_and_shown(drifted: DriftReport, table: Callable[..., Any]) -> None:
    assert drifted.study.outcome == "drift"
    assert drifted.headline.startswith("1 of 2 signals drifted: size; a classifier tells current rows")
    assert drifted.left_out["id"].startswith("unique")
    current = table(150, 2, 2.0)
    for row in drifted.rows:
        assert row.values == {
            "size": f"{current['size'][row.number - 1]:.6g}",
            "colour": current["colour"][row.number - 1],
        }


def test_a_small_comparison_says_what_it_could_not_see(
    report_of: Callable[..., DriftReport], table: Callable[..., Any]
) -> None:
    few = report_of(table(20, 1), table(20, 2))
    assert few.study.outcome == "unclear"
    assert few.headline.startswith("Nothing was found, but these are too few rows to rule drift out")
    many = report_of(table(3000, 1), table(3000, 2))
    assert many.study.outcome == "stable"
    assert many.headline.startswith("No drift was found. Of a normal number, a shift by 0.1")


def test_an_identifier_can_be_asked_for(report_of: Callable[..., DriftReport], table: Callable[..., Any]) -> None:
    found = report_of(table(60, 1), table(60, 2), include=["id"], exclude=["colour"])
    assert {test.label for test in found.study.signals} == {"id", "size"}
    assert found.left_out == {"colour": "excluded by name"}


def test_a_column_that_is_gone_is_in_the_headline(
    report_of: Callable[..., DriftReport], table: Callable[..., Any]
) -> None:
    current = table(500, 2)
    del current["colour"]
    assert report_of(table(500, 1), current).headline == "column 'colour' is only in the reference rows."
