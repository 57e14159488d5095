from __future__ import annotations

import csv
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from tests.unit.serving.conftest import make_artifact, make_rows

from tuneloop.api import TuneloopError
from tuneloop.cli.drift import EXIT_DRIFT, drift
from tuneloop.monitoring.store import Prediction, PredictionStore

QUICK = ("--permutations", "0")


def write(path: Path, rows: list[dict[str, Any]], delimiter: str = ",") -> Path:
    with path.open("w", newline="") as file:
        table = csv.DictWriter(file, list(rows[0]), delimiter=delimiter)
        table.writeheader()
        table.writerows(rows)
    return path


def rows(count: int, seed: int, shift: float = 0.0) -> list[dict[str, Any]]:
    random = np.random.default_rng(seed)
    return [{"when": f"2026-01-01 10:{i % 60:02d}:00", "size": random.standard_normal() + shift} for i in range(count)]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TUNELOOP_PROJECT", raising=False)


def ask(*arguments: str) -> Result:
    return CliRunner().invoke(drift, ["report", *arguments], catch_exceptions=False)


def test_tables(tmp_path: Path) -> None:
    write(tmp_path / "a.csv", rows(400, 1))
    write(tmp_path / "b.tsv", rows(400, 2, 1.0), "\t")
    (tmp_path / "c.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows(400, 3)))
    moved = ask("--reference", "a.csv", "--current", "b.tsv", *QUICK, "--json", "out/drift.json", "--fail-on-drift")
    assert moved.exit_code == EXIT_DRIFT
    assert "1 of 1 signals drifted: size." in moved.stdout
    assert "left out: when, a time" in moved.stdout
    assert "Drift report" in (tmp_path / "drift.html").read_text()
    assert json.loads((tmp_path / "out/drift.json").read_text())["outcome"] == "drift"
    assert ask("--reference", "a.csv", "--current", "b.tsv", *QUICK).exit_code == 0
    same = ask("--reference", "a.csv", "--current", "c.jsonl", *QUICK, "--fail-on-drift", "-o", "same.html")
    assert same.exit_code == 0
    assert "No drift was found." in same.stdout


def test_the_whole_command_ends_with_the_exit_code(tuneloop: Callable[..., Any], tmp_path: Path) -> None:
    write(tmp_path / "a.csv", rows(60, 1))
    write(tmp_path / "b.csv", rows(60, 2, 3.0))
    done = tuneloop("drift", "report", "--reference", "a.csv", "--current", "b.csv", *QUICK, "--fail-on-drift")
    assert done.returncode == EXIT_DRIFT, done.stderr
    absent = tuneloop("drift", "report", "--reference", "a.csv", "--current", "absent.csv")
    assert absent.returncode == 2
    assert "absent.csv" in absent.stderr
    assert "Traceback" not in absent.stderr


def test_an_artifact(tmp_path: Path) -> None:
    make_artifact(tmp_path / "artifact")
    write(tmp_path / "a.csv", make_rows(200, 1))
    write(tmp_path / "b.csv", [{**row, "age": row["age"] + 40} for row in make_rows(200, 2)])
    against_rows = ask("--artifact", "artifact", "--reference", "a.csv", "--current", "b.csv", *QUICK)
    assert "column:age" in against_rows.stdout
    against_holdout = ask("--artifact", "artifact", "--current", "b.csv", "--exclude", "embedding", "--fail-on-drift")
    assert against_holdout.exit_code == EXIT_DRIFT
    assert "the model's holdout (40 rows)" in against_holdout.stdout
    assert "embedding_00" not in against_holdout.stdout


def test_what_a_project_answered(tuneloop: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from types import SimpleNamespace

    from tuneloop.registry import Entry, Registry

    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.delenv("TUNELOOP_STORE_URL", raising=False)
    assert tuneloop("init", "desk", "--task", "tabular-classification").returncode == 0
    state = tmp_path / "desk" / ".tuneloop"
    artifact = make_artifact(tmp_path / "artifact", model="desk")
    registry = Registry(SimpleNamespace(name="desk", state=state))
    registry.register(Entry("run-1", artifact, True, {}, {}))
    registry.promote("1", "test", "to be compared with")
    with pytest.raises(TuneloopError, match="there is no prediction store"):
        ask("--project", "desk", "--store")
    store = PredictionStore(f"sqlite:///{state / 'predictions.db'}")
    now = time.time()
    answered = [(now - 9000, make_rows(80, 1)), (now, [{**row, "age": row["age"] + 60} for row in make_rows(80, 2)])]
    for place, (when, group) in enumerate(answered):
        store.add_predictions([Prediction(f"{place}-{i}", "desk", "1", when, row, {}) for i, row in enumerate(group)])
    store.close()
    recent = ask("--project", "desk", "--store", "--last", "1h", "--fail-on-drift")
    assert recent.exit_code == EXIT_DRIFT
    assert "what desk answered in the last 1h (80 rows)" in recent.stdout
    assert "what desk answered last (160 rows)" in ask("--project", "desk", "--store").stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "either --current FILE or --store"),
        (("--current", "a.csv", "--store"), "either --current FILE or --store"),
        (("--current", "a.csv"), "--reference FILE, or --project, or --artifact"),
        (("--current", "a.csv", "--project", "x", "--artifact", "y"), "either --project or --artifact"),
        (("--store", "--artifact", "y"), "--store needs --project"),
        (("--current", "a.csv", "--artifact", "y", "--include", "z"), "--include is for columns"),
    ],
)
def test_options_that_do_not_go_together(arguments: tuple[str, ...], said: str) -> None:
    done = ask(*arguments)
    assert done.exit_code == 2
    assert said in done.output


def test_files_that_cannot_be_read_or_written(tmp_path: Path) -> None:
    write(tmp_path / "a.csv", rows(20, 1))
    with pytest.raises(TuneloopError, match="its name does not say which format"):
        ask("--reference", "a.csv", "--current", "b.txt")
    with pytest.raises(TuneloopError, match="there is no column 'nope'"):
        ask("--reference", "a.csv", "--current", "a.csv", "--exclude", "nope")
    (tmp_path / "file").write_text("")
    with pytest.raises(TuneloopError, match="cannot be written"):
        ask("--reference", "a.csv", "--current", "a.csv", *QUICK, "-o", "file/drift.html")
