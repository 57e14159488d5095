from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tuneloop.api import RunError
from tuneloop.cli.loop import loop
from tuneloop.loop.deciding.approvals import ask
from tuneloop.loop.deciding.decisions import Decisions, Incoming
from tuneloop.loop.deciding.policy import Reason, Verdict
from tuneloop.loop.records import Database, database_url
from tuneloop.loop.stages import Stages

PROJECT = """\
name: desk
task: tabular-classification
data: {source: csv, path: people.csv, columns: {label: income}}
model: {base: tabular-mlp}
tune: {strategy: full}
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "tuneloop.yaml").write_text(PROJECT)
    (tmp_path / "people.csv").write_text("age,income\n1,a\n2,b\n")
    return tmp_path


@pytest.fixture
def run(root: Path) -> Iterator[tuple[Database, str]]:
    """A run that waits for a word."""
    database = Database(database_url(root / ".tuneloop"), "desk")
    alert = Incoming("TuneloopSignalDrift", "desk", "3", "age", "f1", "2026-01-01", "age has drifted", True)
    decision = Decisions(database, lambda: 1e9).take(alert, lambda *_: Verdict("accepted", Reason.ACCEPTED, "go"))
    run = str(decision.record.run)
    stages = Stages(database, lambda: 1e9)
    stages.begin(run, "train")
    stages.end(run, "train", "passed: version 4")
    stages.begin(run, "approval")
    ask(database, run, "4", 1e9)
    yield database, run
    database.close()


def tell(root: Path, *words: str) -> Result:
    return CliRunner().invoke(loop, ["--project", str(root), *words], catch_exceptions=False)


def test_a_run_is_approved_once(root: Path, run: tuple[Database, str]) -> None:
    assert f"tuneloop loop approve {run[1]}" in tell(root, "status").output
    said = tell(root, "approve", run[1], "--who", "ada", "--why", "seen it")
    assert said.output == f"run {run[1]} may roll out version 4\n"
    assert tell(root, "approve", run[1], "--who", "bob").output == said.output
    with pytest.raises(RunError, match="approved by ada before"):
        tell(root, "decline", run[1], "--why", "no")
    assert "tuneloop loop approve" not in tell(root, "status").output


def test_a_run_is_declined_for_a_reason(root: Path, run: tuple[Database, str]) -> None:
    assert tell(root, "decline", run[1]).exit_code == 2
    assert "version 4 is not rolled out" in tell(root, "decline", run[1], "--why", "too early").output
    with pytest.raises(RunError, match="'other' does not wait for a word; those that do: none"):
        tell(root, "approve", "other")


def test_the_loop_is_paused_and_resumed(root: Path) -> None:
    assert "by ada (an audit)" in tell(root, "pause", "--who", "ada", "--why", "an audit").output
    assert "by ada (an audit)" in tell(root, "status").output
    assert "an audit" in json.loads(tell(root, "status", "--json").output)["paused"]
    assert tell(root, "resume").output == "runs may start again\n"
    assert tell(root, "resume").output == "the loop was not paused\n"
    assert json.loads(tell(root, "status", "--json").output)["paused"] is None


def test_status_shows_the_stages_of_the_run_at_work(root: Path, run: tuple[Database, str]) -> None:
    shown = tell(root, "status").output
    for word in ("approval", "train", "passed: version 4", "..."):
        assert word in shown
    found = json.loads(tell(root, "status", "--json").output)
    assert [(one["stage"], one["ended"] is None) for one in found["stages"]] == [("train", False), ("approval", True)]
    assert [one["run"] for one in found["waiting"]] == [run[1]]
