"""A store is there whole or not at all."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tuneloop.registry.making import make_whole
from tuneloop.registry.store import Store

pytest.importorskip("mlflow")

_LIMITED = """
import resource, sys
from pathlib import Path
from tuneloop.registry.making import make_whole

resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
make_whole(Path(sys.argv[1]))
"""


def test_a_store_that_was_cut_off_half_made_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    file = tmp_path / "state" / "mlflow.db"
    done = subprocess.run(
        [sys.executable, "-c", _LIMITED, str(file)], capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 1
    assert "disk I/O error" in done.stderr or "full" in done.stderr
    # MLflow had made some of its tables.
    assert file.with_name("mlflow.db.half").stat().st_size > 0
    assert not file.exists()
    store = Store(file.parent)
    assert not store.exists()
    with store.client() as client:
        assert client.create_experiment("desk")
    assert {path.name for path in file.parent.iterdir()} == {".mlflow.db.lock", "mlflow.db"}
    before = file.stat().st_ino
    make_whole(file)
    assert file.stat().st_ino == before
