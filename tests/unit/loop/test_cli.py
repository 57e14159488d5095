from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest
from click.testing import CliRunner

from tuneloop.api import TuneloopError
from tuneloop.cli.loop import loop
from tuneloop.loop.deciding.decisions import Decisions, Incoming
from tuneloop.loop.deciding.policy import Reason, Verdict
from tuneloop.loop.records import Database, database_url

PROJECT = """\
name: desk
task: tabular-classification
data: {source: csv, path: people.csv, columns: {label: income}}
model: {base: tabular-mlp}
tune: {strategy: full}
export: {format: onnx}
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "tuneloop.yaml").write_text(PROJECT)
    (tmp_path / "people.csv").write_text("age,income\n1,a\n2,b\n")
    return tmp_path


def test_status_needs_no_loop_and_makes_no_records(root: Path) -> None:
    result = CliRunner().invoke(loop, ["status", "--project", str(root)], catch_exceptions=False)
    assert result.exit_code == 0
    assert "no alert has reached the loop yet" in result.output
    assert not (root / ".tuneloop").exists()


def test_status_shows_decisions_with_their_reasons(root: Path) -> None:
    database = Database(database_url(root / ".tuneloop"), "desk")
    alert = Incoming("TuneloopSignalDrift", "desk", "3", "age", "f1", "2026-01-01", "age has drifted", True)
    verdict = Verdict("suppressed", Reason.FEW_LABELS, "3 labelled rows are new; 200 are needed.")
    Decisions(database, lambda: 1e9).take(alert, lambda *_: verdict)
    database.close()
    result = CliRunner().invoke(loop, ["--project", str(root), "status"], catch_exceptions=False)
    assert result.exit_code == 0
    for word in ("TuneloopSignalDrift", "age", "suppressed", "few-labels", "200 are needed"):
        assert word in result.output
    result = CliRunner().invoke(loop, ["status", "--json", "--project", str(root)], catch_exceptions=False)
    (found,) = json.loads(result.output)["decisions"]
    assert (found["reason"], found["version"]) == ("few-labels", "3")


def test_a_port_that_is_taken_is_said_before_anything_starts(root: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        with pytest.raises(TuneloopError, match=f"port {port} of 127.0.0.1 cannot be used"):
            CliRunner().invoke(loop, ["--project", str(root), "--port", port], catch_exceptions=False)
    assert not (root / ".tuneloop" / "loop.db").exists()
