"""The store between processes: several on one SQLite file, and on a real PostgreSQL."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tuneloop.monitoring.store import Prediction, PredictionStore

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


def _as_nobody() -> dict[str, Any]:
    """PostgreSQL refuses to run as root."""
    return {"user": "nobody", "group": "nogroup", "extra_groups": []} if os.geteuid() == 0 else {}


@pytest.fixture(scope="module")
def postgres() -> Iterator[str]:
    """A PostgreSQL server of our own on loopback; its SQLAlchemy URL."""
    pytest.importorskip("psycopg", reason="psycopg is not installed")
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    initdb = shutil.which("initdb") or (str(programs[-1]) if programs else None)
    if initdb is None:
        pytest.skip("PostgreSQL is not installed")
    folder = Path(tempfile.mkdtemp(prefix="tuneloop-postgres-"))
    folder.chmod(0o777)
    data, options = folder / "data", _as_nobody()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = None
    try:
        made = subprocess.run(
            [initdb, "-D", str(data), "-U", "tuneloop", "-A", "trust", "-E", "UTF8", "--no-sync"],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
            **options,
        )
        if made.returncode:
            pytest.skip(f"PostgreSQL cannot make a cluster here: {made.stderr.strip()[-200:]}")
        server = subprocess.Popen(
            [
                str(Path(initdb).resolve().parent / "postgres"),
                *("-D", str(data), "-h", "127.0.0.1", "-p", str(port), "-k", str(folder), "-F"),
            ],
            cwd=folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            **options,
        )
        assert server.stderr is not None
        for line in server.stderr:
            if "ready to accept connections" in line:
                break
        else:
            pytest.fail("PostgreSQL ended")
        yield f"postgresql+psycopg://tuneloop@127.0.0.1:{port}/postgres"
    finally:
        if server is not None:
            server.terminate()
            server.communicate()
        shutil.rmtree(folder, ignore_errors=True)


def test_processes_share_a_postgresql(postgres: str) -> None:
    assert sum(run_workers(postgres, 4)) == 40
    store = PredictionStore(postgres)
    assert store.counts("desk").labelled == 40
    assert store.claim("desk") == []
    assert store.erase(before=1e9) == 40
    store.close()


def test_postgresql_keeps_what_sqlite_keeps(postgres: str) -> None:
    store = PredictionStore(postgres, clock=lambda: 1000.0)
    row = {"text": "na\u00efve \u0000 \ud800", "none": None}
    store.add_predictions(
        [Prediction(f"q{n}", "kept", "1", float(n), row, {"label": "a"}, "anna") for n in range(1200)]
    )
    store.add_predictions([Prediction("q1", "kept", "1", 5.0, {}, {})])
    assert store.add_labels([("q1", "a"), ("q1", "b"), ("q9999", 1), ("q1", "b")]) == ["new", "changed", "new", "same"]
    assert [pair.label for pair in store.claim("kept")] == ["b"]
    (pair,) = store.labelled_rows("kept", since=0.5, limit=5)
    assert (pair.prediction.row, pair.labelled) == (row, 1000.0)
    counts = store.counts("kept")
    assert (counts.predictions, counts.labelled, counts.corrections, counts.waiting) == (1200, 1, 1, 1)
    assert store.erase(subject="anna") == 1200
    store.close()
