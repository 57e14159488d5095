from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tuneloop.cli.erase import erase
from tuneloop.monitoring.store import Prediction, PredictionStore

PROJECT = """\
name: desk
task: tabular-classification
data: {source: csv, path: rows.csv, columns: {target: income}}
model: {base: tabular-mlp}
tune: {strategy: full}
"""


@pytest.fixture
def store(tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[PredictionStore]:
    (tmp_path / "tuneloop.yaml").write_text(PROJECT)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TUNELOOP_PROJECT", raising=False)
    monkeypatch.setenv("TUNELOOP_STORE_URL", database_url)
    store = PredictionStore(database_url)
    now = time.time()
    store.add_predictions(
        [Prediction(f"p{n}", "desk", "1", now - n * 3600, {"x": n}, {}, ("anna", "ben")[n % 2]) for n in range(600)]
    )
    yield store
    store.close()


def call(*arguments: str) -> Result:
    return CliRunner().invoke(erase, arguments, catch_exceptions=False)


def test_a_subject_is_erased_and_erasing_again_does_nothing(store: PredictionStore, tmp_path: Path) -> None:
    folder = tmp_path / ".tuneloop" / "runs" / "first"
    folder.mkdir(parents=True)
    (folder / "feedback.jsonl").write_text('{"key": "p0"}\n{"key": "p1"}\n')
    first = call("anna")
    assert "erased 300 predictions of 'anna', and 1 rows frozen" in first.output
    assert "learned from them: first" in first.output
    assert (folder / "feedback.jsonl").read_text() == '{"key": "p1"}\n'
    assert "erased 0 predictions" in call("anna").output
    assert store.counts("desk").predictions == 300


def test_what_is_old_is_erased(store: PredictionStore) -> None:
    assert "erased 599 predictions" in call("--older-than", "30m").output
    assert store.counts("desk").predictions == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [((), "Name either"), (("a", "--older-than", "1d"), "Name either"), (("--older-than", "9"), "90s")],
)
def test_what_is_unclear_is_refused(store: PredictionStore, arguments: tuple[str, ...], said: str) -> None:
    done = call(*arguments)
    assert (done.exit_code, said in done.output) == (2, True)
    assert store.counts("desk").predictions == 600
