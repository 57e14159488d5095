from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tuneloop.api import Column, DataError
from tuneloop.serving.offline.inputs import Inputs
from tuneloop.serving.offline.places import find_places

COLUMNS = (Column("age", "number"), Column("job", "category", ("cook",)))


def inputs(*paths: Path, kept: tuple[str, ...] | None = ("id",), **options: Any) -> Inputs:
    return Inputs(find_places([str(path) for path in paths]), COLUMNS, kept, **options)


def people(start: int, count: int) -> list[dict[str, Any]]:
    return [{"id": i, "age": i + 20, "job": "cook", "note": "x"} for i in range(start, start + count)]


def test_windows_cross_files_and_formats(write_csv: Callable[..., Path], write_jsonl: Callable[..., Path]) -> None:
    files = write_csv(people(0, 7)), write_jsonl(people(7, 6), "b.jsonl"), write_csv(people(13, 2), "c.tsv")
    files[2].write_text(files[2].read_text().replace(",", "\t"))
    windows = list(inputs(*files).windows(4))
    assert [(window.first, len(window.records)) for window in windows] == [(1, 4), (5, 4), (9, 4), (13, 3)]
    assert [row for window in windows for row in window.rows] == [{"age": i + 20, "job": "cook"} for i in range(15)]
    assert [str(record.values["id"]) for window in windows for record in window.records] == [str(i) for i in range(15)]
    done = [window.done for window in windows]
    assert done == sorted(done)
    assert done[-1] == 1.0
    assert [(w.first, w.rows) for w in inputs(*files).windows(4, skip=2)] == [(w.first, w.rows) for w in windows[2:]]


def test_a_column_that_is_absent_is_named(write_csv: Callable[..., Path], write_jsonl: Callable[..., Path]) -> None:
    with pytest.raises(DataError, match=r"no column 'age', which the model asks for\. It has: id"):
        list(inputs(write_csv([{"id": 1}])).windows(4))
    with pytest.raises(DataError, match=r"no column 'idd', which --keep asks for\. Did you mean 'id'\?"):
        list(inputs(write_csv(people(0, 1)), kept=("idd",)).windows(4))
    with pytest.raises(DataError, match="no column 'job' in its first records"):
        list(inputs(write_jsonl([{"id": 1, "age": 1}])).windows(4))


def test_an_absent_key_is_a_missing_value(write_jsonl: Callable[..., Path]) -> None:
    path = write_jsonl([{"id": 1, "age": 1}, {"id": 2, "job": "cook"}])
    assert next(inputs(path).windows(4)).rows == ({"age": 1, "job": None}, {"age": None, "job": "cook"})


def test_no_records_are_no_windows(write_jsonl: Callable[..., Path], tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id,age,job\n")
    assert list(inputs(tmp_path / "a.csv", write_jsonl([])).windows(4)) == []


def test_the_format_and_the_delimiter_can_be_forced(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("id|age|job\n1|2|cook\n")
    found = inputs(tmp_path / "a.txt", format="csv", delimiter="|")
    assert next(found.windows(4)).rows == ({"age": 2.0, "job": "cook"},)
