from __future__ import annotations

import datetime
import decimal
from pathlib import Path
from typing import Any

import pytest

from tuneloop.api import Column
from tuneloop.preprocessing.rows import category_text, check_value
from tuneloop.serving.offline.record import MISSING, Record, from_arrow, from_json, from_text
from tuneloop_files import Csv
from tuneloop_files.csv import CsvOptions

NUMBER, TEXT = Column("x", "number"), Column("x", "text")


def category(*known: str) -> Column:
    return Column("x", "category", known)


@pytest.mark.parametrize("written", [["1", "2"], ["01", "02"], ["1.5", "2.0"], ["true", "false"], ["True", "False"]])
def test_a_category_means_what_it_meant_in_training(tmp_path: Path, written: list[str]) -> None:
    (tmp_path / "a.csv").write_text("x,y\n" + "".join(f"{value},z\n" for value in written))
    table = Csv(CsvOptions(path="a.csv")).load(tmp_path)
    learned = [category_text(value) for value in table["x"][:]]
    column = category(*learned)
    assert [check_value(from_text(value, column), column, 0) for value in written] == learned


@pytest.mark.parametrize("text", sorted(MISSING))
def test_what_is_missing_in_training_is_missing_here(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.csv").write_text(f"x,y\n{text},z\n")
    assert Csv(CsvOptions(path="a.csv")).load(tmp_path)["x"][0] is None
    assert from_text(text, NUMBER) is None
    assert from_text(text, category("a")) is None


def test_a_known_category_is_taken_as_it_is_written() -> None:
    assert from_text("NA", category("NA", "EU")) == "NA"
    assert from_text("01", category("01", "1")) == "01"
    assert from_text("never seen", category("a")) == "never seen"
    assert from_text("inf", category("a")) == "inf"


def test_a_text_is_taken_as_it_stands() -> None:
    assert [from_text(value, TEXT) for value in ("NA", "?", "1", "true", "")] == ["NA", "?", "1", "true", None]


@pytest.mark.parametrize("text", ["abc", "1_000", "1,5", "0x10"])
def test_what_is_no_number_stays_a_text_to_be_refused(text: str) -> None:
    assert from_text(text, NUMBER) == text


@pytest.mark.parametrize(("text", "number"), [("1", 1.0), ("-2.5e3", -2500.0), (" 7 ", 7.0)])
def test_numbers_are_read(text: str, number: float) -> None:
    assert from_text(text, NUMBER) == number


@pytest.mark.parametrize(
    ("value", "column", "wanted"),
    [
        (float("nan"), NUMBER, None),
        (decimal.Decimal("1.5"), NUMBER, 1.5),
        (datetime.date(2026, 1, 2), category(), "2026-01-02"),
        ("a", TEXT, "a"),
        (3, NUMBER, 3),
    ],
)
def test_values_of_parquet(value: Any, column: Column, wanted: Any) -> None:
    assert from_arrow(value, column) == wanted


def test_json_is_left_alone() -> None:
    assert from_json("1", NUMBER) == "1"


def test_a_record_says_where_it_is() -> None:
    assert Record("a.csv", "line", 7, {}).where == "a.csv, line 7"
