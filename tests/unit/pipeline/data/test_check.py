"""The findings of a whole project: each kind that can be there is, with its rows."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from tuneloop.api import DataError
from tuneloop.pipeline.data import check, load
from tuneloop.pipeline.findings import near
from tuneloop.pipeline.runs.cache import perform

pytest.importorskip("datasets")

TEXT = """\
name: desk
task: text-classification
data: {source: jsonl, path: messages.jsonl, columns: {text: message, label: language}, CHECK
  split: {validation: 0.1, test: 0.1, golden: 0.1, key: id}}
model: {base: transformers, checkpoint: nowhere}
tune: {strategy: full}
export: {format: onnx}
"""
LONG = "the delivery of my order from last tuesday has still not arrived at our house"


def checked(scope: Any) -> dict[str, Any]:
    """The output of the step."""
    done = {"load": perform(load.STEP, scope, {})}
    output: dict[str, Any] = perform(check.STEP, scope, done).output
    return output


def told(output: dict[str, Any]) -> list[tuple[str, list[int]]]:
    return sorted((one["name"], one["rows"]) for one in output["findings"])


def rewrite(folder: Path, change: Any) -> None:
    with (folder / "people.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    for number, row in enumerate(rows):
        change(number, row)
    with (folder / "people.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def test_a_clean_table_is_told_what_is_missing_and_what_chance_decided(table_project: Path, scope_of: Any) -> None:
    output = checked(scope_of(table_project))
    # What a simple model cannot tell is by chance in the one class or the other.
    assert {one["name"] for one in output["findings"]} == {"missing", "label errors"}
    types = {one["name"]: (one["use"], one["type"]) for one in output["columns"]}
    assert types["id"] == ("key", "int64")
    assert types["hours"] == ("input", "double")
    assert types["income"] == ("answer", "string")


def test_all_that_is_odd_in_a_table_is_found(table_project: Path, scope_of: Any) -> None:
    def change(number: int, row: dict[str, Any]) -> None:
        row["hours"] = "9999" if number in (7, 90) else row["hours"]
        row["age"] = "40"
        row["counter"] = number
        row["paid"] = "by hand" if number in (3, 5) else f"{number * 37 % 101}.5"
        row["note"] = ""
        row["income"] = "high" if number % 20 == 4 else "low"

    rewrite(table_project, change)
    output = checked(scope_of(table_project))
    assert told(output) == [
        ("identifiers", [0, 599]),
        ("imbalance", [4, 24, 44, 64, 84]),
        ("missing", [0, 1, 2, 3, 4]),
        ("outliers", [7, 90]),
        ("schema", [0, 1, 2, 3, 4]),
        ("schema", [3, 5]),
    ]
    assert {one["name"]: one["missing"] for one in output["columns"] if one["name"] in ("note", "paid", "id")} == {
        "id": None,
        "paid": 0,
        "note": 600,
    }
    file = table_project / "tuneloop.yaml"
    text = file.read_text()
    file.write_text(text.replace("source: csv,", "source: csv, check: {stop: [schema]},"))
    with pytest.raises(DataError, match=r"(?s)check\.stop.*schema: column 'note'.*schema: column 'paid' is mixed"):
        checked(scope_of(table_project))
    ignored = "[identifiers, imbalance, missing, outliers, schema]"
    file.write_text(text.replace("source: csv,", f"source: csv, check: {{ignore: {ignored}}},"))
    assert checked(scope_of(table_project))["findings"] == []


def write_texts(folder: Path, rows: list[dict[str, Any]], wanted: str = "") -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "messages.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "tuneloop.yaml").write_text(TEXT.replace("CHECK", f"check: {wanted}," if wanted else ""))
    return folder


def messages(count: int = 200) -> list[dict[str, Any]]:
    """Texts of numbers, which are on purpose no numbers, and labels that are."""
    return [{"id": str(i), "message": f"{i * 7}", "language": str(i % 2)} for i in range(count)]


def test_all_that_is_odd_in_texts_is_found(tmp_path: Path, scope_of: Any) -> None:
    rows = messages()
    assert checked(scope_of(write_texts(tmp_path / "desk", rows)))["findings"] == []
    rows[20]["message"], rows[98]["message"] = LONG, LONG.replace("tuesday", "tuesdav")
    rows[9]["message"] = "call 030 901820"
    rows[50]["language"] = "2"
    output = checked(scope_of(write_texts(tmp_path / "desk", rows, "{country: DE}")))
    assert told(output) == [
        ("imbalance", [50]),
        ("near-duplicates", [20, 98]),
        ("near-leakage", [20, 98]),
        ("personal data", [9]),
        ("rare classes", [50]),
    ]
    found = checked(scope_of(write_texts(tmp_path / "desk", rows, "{ignore: [near-leakage, imbalance, rare classes]}")))
    assert told(found) == [("near-duplicates", [20, 98])]


def test_copies_far_behind_are_found_in_an_even_sample(
    tmp_path: Path, scope_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(near, "_BESIDE", 10)
    monkeypatch.setattr(check, "compared", lambda rows: near.compared(rows, 50))
    rows = messages()
    rows[198]["message"], rows[199]["message"] = LONG, LONG.replace("tuesday", "tuesdav")
    output = checked(scope_of(write_texts(tmp_path / "desk", rows, "{ignore: [near-leakage]}")))
    assert told(output) == [("near-duplicates", [198, 199])]
    assert output["findings"][0]["text"].startswith("2 rows of 50 that were looked at")
