from __future__ import annotations

import csv
import gzip
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fsspec
import pyarrow as pa
import pytest
from pyarrow import parquet

from tuneloop.api import DataError
from tuneloop.serving.loader import Loaded
from tuneloop.serving.offline import BatchJob, Pace, journal, run, score_files
from tuneloop.serving.offline.journal import Counts

Messages = Callable[..., list[str]]


@pytest.fixture
def source(write_jsonl: Callable[..., Path], messages: Messages) -> Path:
    return write_jsonl([{"id": i, "message": text} for i, text in enumerate(messages(250, 5))])


def job(source: Path | str, output: Path | str, **options: Any) -> BatchJob:
    return BatchJob(inputs=(str(source),), output=str(output), **{"keep": ("id",), "window_rows": 64, **options})


def flat(answer: dict[str, Any]) -> dict[str, Any]:
    scores = {f"scores.{name}": value for name, value in answer["scores"].items()}
    return {"label": answer["label"], "confidence": answer["confidence"], **scores}


def expected(model: Loaded, source: Path, window: int = 64) -> list[dict[str, Any]]:
    """What the predictor says to each window, in calls of at most 32 rows."""
    rows = [json.loads(line) for line in source.read_text().splitlines()]
    found = []
    for start in range(0, len(rows), window):
        part = rows[start : start + window]
        answers = model.predictor.predict([{"message": row["message"]} for row in part]).answers
        found += [{"id": row["id"], **flat(answer)} for row, answer in zip(part, answers, strict=True)]
    return found


def test_every_format_holds_the_predictors_answers_bit_for_bit(
    text_model: Loaded, source: Path, tmp_path: Path
) -> None:
    wanted = expected(text_model, source)
    for name in ("a.jsonl", "a.csv", "a.csv.gz", "a.parquet"):
        result = score_files(text_model, job(source, tmp_path / name, threads=2))
        assert result.counts == Counts(250, 250, 0)
        assert not (tmp_path / f"{name}.partial").exists()
    assert [json.loads(line) for line in (tmp_path / "a.jsonl").read_text().splitlines()] == wanted
    assert parquet.read_table(tmp_path / "a.parquet").to_pylist() == wanted
    with (tmp_path / "a.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [{k: type(w[k])(v) for k, v in row.items()} for row, w in zip(rows, wanted, strict=True)] == wanted
    assert gzip.decompress((tmp_path / "a.csv.gz").read_bytes()) == (tmp_path / "a.csv").read_bytes()


def test_a_table_from_csv_and_from_parquet_gets_equal_answers(
    table_model: Loaded, tiny_rows: Callable[..., list[dict[str, Any]]], write_csv: Callable[..., Path], tmp_path: Path
) -> None:
    rows = tiny_rows(100, 4)
    source = write_csv(rows)
    parquet.write_table(pa.Table.from_pylist(rows), tmp_path / "in.parquet")
    score_files(table_model, job(source, tmp_path / "a.csv", keep=()))
    score_files(table_model, job(tmp_path / "in.parquet", tmp_path / "b.csv", keep=()))
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()
    score_files(table_model, job(source, tmp_path / "c.csv", keep=None, prefix="p_"))
    header, first = (tmp_path / "c.csv").read_text().splitlines()[:2]
    assert header == "age,hours per week,job,p_label,p_confidence,p_scores.high,p_scores.low"
    assert first.startswith(source.read_text().splitlines()[1])


def test_the_number_of_threads_changes_nothing(text_model: Loaded, source: Path, tmp_path: Path) -> None:
    for threads in (1, 4):
        score_files(text_model, job(source, tmp_path / f"{threads}.csv", threads=threads))
    assert (tmp_path / "1.csv").read_bytes() == (tmp_path / "4.csv").read_bytes()


BAD = ['{"id": 1, "message": "good"}', '{"id": 2, "message": " "}', "{", '{"id": 4, "message": "late"}']


def test_a_refused_record_ends_the_job_and_says_where(
    text_model: Loaded, write_jsonl: Callable[..., Path], tmp_path: Path
) -> None:
    source = write_jsonl(BAD)
    with pytest.raises(DataError, match=r"in\.jsonl, line 2, field 'message': must be a text that is not blank"):
        score_files(text_model, job(source, tmp_path / "a.csv"))
    assert not (tmp_path / "a.csv").exists()
    # What was finished is kept, and the job may go on with another rule.
    result = score_files(text_model, job(source, tmp_path / "a.csv", on_error="skip"))
    assert result.counts == Counts(4, 2, 2)


@pytest.mark.parametrize(("rule", "ids"), [("skip", ["1", "4"]), ("null", ["1", "2", "", "4"])])
def test_refused_records_are_counted_and_listed(
    text_model: Loaded, write_jsonl: Callable[..., Path], tmp_path: Path, rule: str, ids: list[str]
) -> None:
    source = write_jsonl(BAD)
    result = score_files(text_model, job(source, tmp_path / "a.csv", on_error=rule, window_rows=2))
    with (tmp_path / "a.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [row["id"] for row in rows] == ids
    assert [row["id"] for row in rows if row["label"]] == ["1", "4"]
    assert result.counts == Counts(4, len(ids), 2)
    assert result.rejects == f"{tmp_path}/a.csv.rejects.jsonl"
    assert [json.loads(line) for line in Path(result.rejects).read_text().splitlines()] == [
        {
            "row": 2,
            "file": str(source),
            "line": 2,
            "field": "message",
            "reason": "must be a text that is not blank",
            "record": {"id": 2, "message": " "},
        },
        {
            "row": 3,
            "file": str(source),
            "line": 3,
            "field": None,
            "reason": "not valid JSON: Expecting property name enclosed in double quotes at character 2",
            "text": "{",
        },
    ]


class CutError(Exception):
    """Ends a job in the middle."""


def interrupted(model: Loaded, wanted: BatchJob, windows: int) -> None:
    seen = 0

    def listen(_: Pace) -> None:
        nonlocal seen
        seen += 1
        if seen == windows:
            raise CutError

    with pytest.raises(CutError):
        score_files(model, wanted, listen)


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl.gz", "a.parquet"])
def test_a_job_that_was_cut_off_gives_the_same_bytes(
    text_model: Loaded, source: Path, tmp_path: Path, name: str
) -> None:
    score_files(text_model, job(source, tmp_path / "whole" / name))
    broken = job(source, tmp_path / name)
    interrupted(text_model, broken, 1)
    interrupted(text_model, broken, 2)
    seen: list[Pace] = []
    result = score_files(text_model, broken, seen.append)
    assert result.resumed == 3 * 64
    assert [pace.rows for pace in seen] == [250]
    assert (tmp_path / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


@pytest.mark.parametrize(("module", "step"), [(journal, "_clear"), (run, "put")], ids=["delivered", "joined"])
def test_a_job_that_was_cut_off_at_its_end_is_delivered(
    text_model: Loaded, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: Any, step: str
) -> None:
    def cut(*_: object) -> None:
        raise CutError

    with monkeypatch.context() as patched:
        patched.setattr(module, step, cut)
        with pytest.raises(CutError):
            score_files(text_model, job(source, tmp_path / "a.csv"))
    assert (tmp_path / "a.csv").exists() == (step == "_clear")
    assert score_files(text_model, job(source, tmp_path / "a.csv")).resumed == 250
    assert len((tmp_path / "a.csv").read_text().splitlines()) == 251
    assert not (tmp_path / "a.csv.partial").exists()


def test_changed_input_or_options_are_not_gone_on_with(text_model: Loaded, source: Path, tmp_path: Path) -> None:
    wanted = job(source, tmp_path / "a.csv")
    interrupted(text_model, wanted, 1)
    with pytest.raises(DataError, match="not as they were: batch size"):
        score_files(text_model, job(source, tmp_path / "a.csv", batch_rows=8))
    source.write_text(source.read_text() + '{"id": 9, "message": "new"}\n')
    with pytest.raises(DataError, match="not as they were: inputs"):
        score_files(text_model, wanted)
    assert score_files(text_model, job(source, tmp_path / "a.csv", restart=True)).counts.read == 251


def test_a_file_that_changes_while_it_is_read_gives_no_output(text_model: Loaded, source: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="was changed while it was read"):
        score_files(text_model, job(source, tmp_path / "a.csv"), lambda _: os.utime(source, ns=(1, 1)))
    assert not (tmp_path / "a.csv").exists()


def test_what_is_there_is_replaced_only_when_asked(text_model: Loaded, source: Path, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("mine")
    (tmp_path / "a.csv.rejects.jsonl").write_text("old")
    with pytest.raises(DataError, match=r"a\.csv is there already; replace it with --overwrite"):
        score_files(text_model, job(source, tmp_path / "a.csv"))
    score_files(text_model, job(source, tmp_path / "a.csv", overwrite=True))
    assert (tmp_path / "a.csv").read_text().startswith("id,label")
    assert not (tmp_path / "a.csv.rejects.jsonl").exists()


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.parquet"])
def test_no_records_give_an_empty_output(
    text_model: Loaded, write_jsonl: Callable[..., Path], tmp_path: Path, name: str
) -> None:
    assert score_files(text_model, job(write_jsonl([]), tmp_path / name, keep=())).counts == Counts()
    if name == "a.parquet":
        assert parquet.read_table(tmp_path / name).num_rows == 0
    else:
        assert len((tmp_path / name).read_text().splitlines()) == (1 if name == "a.csv" else 0)


def test_from_url_to_url(text_model: Loaded, source: Path, tmp_path: Path) -> None:
    memory = fsspec.filesystem("memory")
    memory.pipe("/run/in.jsonl", source.read_bytes())
    with pytest.raises(DataError, match="--work"):
        score_files(text_model, job("memory://run/in.jsonl", "memory://run/out.csv"))
    score_files(text_model, job("memory://run/in.jsonl", "memory://run/out.csv", work=tmp_path / "work"))
    score_files(text_model, job(source, tmp_path / "out.csv"))
    assert memory.cat("/run/out.csv") == (tmp_path / "out.csv").read_bytes()
    assert not (tmp_path / "work").exists()


def test_progress_is_told(text_model: Loaded, source: Path, tmp_path: Path) -> None:
    ticks = iter(range(100))
    seen: list[Pace] = []
    score_files(text_model, job(source, tmp_path / "a.csv"), seen.append, lambda: float(next(ticks)))
    assert [pace.rows for pace in seen] == [64, 128, 192, 250]
    assert seen[-1].done == 1.0
    assert seen[-1].left == 0.0
    assert all(pace.rate > 0 for pace in seen)
