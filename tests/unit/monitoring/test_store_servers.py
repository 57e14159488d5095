"""The store between processes: several on one SQLite file, and on a real PostgreSQL."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tuneloop.monitoring.retention import expire
from tuneloop.monitoring.store import PredictionStore

WORKER = """
import sys
from tuneloop.monitoring.store import Prediction, PredictionStore
url, own = sys.argv[1:]
print("ready", flush=True)
sys.stdin.readline()
store = PredictionStore(url)
claimed = 0
for number in range(40):
    ids = [f"p{number}"]
    if own == "0":
        store.add_predictions([Prediction(ids[0], "desk", "1", float(number), {"text": "\\x00"}, {"label": "a"})])
    else:
        store.add_labels([(ids[0], own)])
    claimed += len(store.claim("desk", ids))
print(claimed, flush=True)
store.close()
"""


def run_workers(url: str, count: int) -> list[int]:
    """How many pairs each of `count` processes claimed, started at one moment; the first one predicts."""
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", WORKER, url, str(own)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for own in range(count)
    ]
    for worker in workers:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "ready\n"
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write("go\n")
        worker.stdin.flush()
    claimed = [int(worker.communicate()[0]) for worker in workers]
    assert [worker.returncode for worker in workers] == [0] * count
    return claimed


def test_processes_share_a_new_sqlite_file(tmp_path: Path) -> None:
    for attempt in range(3):
        url = f"sqlite:///{tmp_path}/store{attempt}.db"
        assert sum(run_workers(url, 4)) == 40
        store = PredictionStore(url)
        assert store.counts("desk").labelled == 40
        store.close()


def test_processes_share_a_postgresql(postgres: str) -> None:
    assert sum(run_workers(postgres, 4)) == 40
    store = PredictionStore(postgres)
    assert store.counts("desk").labelled == 40
    assert store.claim("desk") == []
    assert expire(store, "desk", 1e9) == 40
    store.close()
