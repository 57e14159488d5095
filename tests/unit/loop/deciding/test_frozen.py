from __future__ import annotations

import json
import tracemalloc
from pathlib import Path

import pytest

from tuneloop.loop.deciding import frozen
from tuneloop.loop.deciding.frozen import drop_rows, freeze
from tuneloop.monitoring.store import Prediction, PredictionStore

WIDE = "x" * 4000


def fill(store: PredictionStore, rows: int, row: object = "x") -> None:
    """Rows of which each is as old as the next; every label is the number of its row."""
    store.add_predictions([Prediction(f"p{n:04}", "desk", "1", 1.0, {"x": row, "n": n}, {}) for n in range(rows)])
    store.add_labels([(f"p{n:04}", n) for n in range(rows)])


def test_the_newest_are_frozen_oldest_first(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, path = PredictionStore(database_url), tmp_path / "runs" / "one" / "feedback.jsonl"
    fill(store, 1300)
    store.add_predictions([Prediction("other", "shop", "1", 2.0, {}, {}), Prediction("none", "desk", "1", 2.0, {}, {})])
    store.add_labels([("other", 1)])
    monkeypatch.setattr(frozen, "MOST_ROWS", 1200)
    assert freeze(store, "desk", path) == 1200
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert lines == [{"key": f"p{n:04}", "row": {"x": "x", "n": n}, "label": n} for n in range(100, 1300)]
    assert path.stat().st_mode & 0o777 == 0o644
    store.close()


def test_rows_are_dropped_and_the_others_keep_their_order(tmp_path: Path) -> None:
    path = tmp_path / "feedback.jsonl"
    path.write_text("".join(f'{{"key": "p{n}", "label": "ü"}}\n' for n in range(10)))
    assert drop_rows(path, {"p0", "p4", "p9", "p99"}) == 3
    assert [json.loads(line)["key"] for line in path.read_text().splitlines()] == [
        f"p{n}" for n in (1, 2, 3, 5, 6, 7, 8)
    ]
    before = path.stat().st_ino
    assert drop_rows(path, {"p0"}) == 0
    assert drop_rows(tmp_path / "pruned" / "feedback.jsonl", {"p0"}) == 0
    assert path.stat().st_ino == before


def test_not_all_rows_are_in_memory_at_once(tmp_path: Path) -> None:
    store, path = PredictionStore(f"sqlite:///{tmp_path}/store.db"), tmp_path / "feedback.jsonl"
    fill(store, 4000, WIDE)
    tracemalloc.start()
    try:
        assert freeze(store, "desk", path) == 4000
        assert drop_rows(path, {"p0000"}) == 1
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
        store.close()
    assert most < path.stat().st_size / 2
