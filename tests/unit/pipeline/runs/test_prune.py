from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tuneloop.api import RunError
from tuneloop.pipeline.runs import prune as module
from tuneloop.pipeline.runs.prune import prune_steps
from tuneloop.pipeline.runs.records import RunRequest, create, note_step, run_folder, update_status, working_on


class World:
    """A project's state with runs and steps, without a pipeline."""

    def __init__(self, state: Path) -> None:
        self.project: Any = SimpleNamespace(name="desk", state=state)
        self.state = state

    def run(self, name: str, state: str, *folders: str, version: str | None = None) -> None:
        request = RunRequest(run=name, project="desk", started=f"2026-01-0{name[-1]}T00:00:00Z", who="ada")
        create(self.state, request, b"", None)
        for folder in folders:
            path = self.state / "steps" / folder
            path.mkdir(parents=True, exist_ok=True)
            (path / "made").write_bytes(b"x" * 10)
            note_step(run_folder(self.state, name), folder.partition("-")[0], folder, finished=True)
        update_status(run_folder(self.state, name), state=state, version=version, step="tune")

    def folders(self) -> set[str]:
        steps = self.state / "steps"
        return {str(path.parent.relative_to(steps)) for path in steps.rglob("made")}


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    versions = [
        SimpleNamespace(number="1", aliases=("champion",)),
        SimpleNamespace(number="2", aliases=()),
    ]
    monkeypatch.setattr(module, "Registry", lambda project: SimpleNamespace(versions=lambda: versions))
    return World(tmp_path)


def test_only_what_kept_runs_used_stays(world: World) -> None:
    world.run("r0", "refused", "tune-1", "gate-0", version="1")
    world.run("r1", "passed", "load-a/rows-1", "tune-1", version="1")
    world.run("r2", "passed", "load-a/rows-2", "tune-2", version="2")
    world.run("r3", "running", "load-a/rows-3", "tune-3")
    world.run("r4", "refused", "load-a/rows-4", "tune-2", "gate-4", version="3")
    world.run("r5", "passed", "load-a/rows-5", "tune-1", version="4")
    done = prune_steps(world.project, keep=1)
    # The newest, the one that was cut off, and that of the champion.
    assert done.runs == ("r5", "r3", "r1")
    assert world.folders() == {"load-a/rows-1", "load-a/rows-3", "load-a/rows-5", "tune-1", "tune-3"}
    assert (done.folders, done.bytes) == (5, 50)
    assert prune_steps(world.project, keep=1) == module.Pruned(0, 0, done.runs)


def test_a_folder_that_may_be_used_stays_whole(world: World) -> None:
    world.run("r1", "running", "load-a/rows-1", "tune-1")
    note_step(run_folder(world.state, "r1"), "load", "load-a", finished=False)
    note_step(run_folder(world.state, "r1"), "tune", "tune-9", finished=False)
    world.run("r2", "failed", "load-a/rows-2", "tune-9")
    prune_steps(world.project, keep=0)
    assert world.folders() == {"load-a/rows-1", "load-a/rows-2", "tune-1", "tune-9"}


def test_nothing_is_removed_while_a_run_is_at_work(world: World) -> None:
    world.run("r1", "passed", "tune-1")
    with working_on(run_folder(world.state, "r2")), pytest.raises(RunError, match="a run is at work"):
        prune_steps(world.project, keep=0)
    assert world.folders() == {"tune-1"}


def test_a_cut_off_run_without_a_record_of_its_steps_stops_it(world: World) -> None:
    world.run("r1", "passed", "tune-1")
    world.run("r2", "running")
    with pytest.raises(RunError, match=r"--resume r2"):
        prune_steps(world.project, keep=0)
    assert world.folders() == {"tune-1"}


def test_what_a_killed_attempt_left_is_removed(world: World) -> None:
    world.run("r1", "passed", "tune-1")
    left = world.state / "steps" / ".removed-steps-tune-0"
    left.mkdir()
    prune_steps(world.project, keep=1)
    assert not left.exists()
    assert world.folders() == {"tune-1"}


def test_without_runs_there_is_nothing_to_do(world: World) -> None:
    assert prune_steps(world.project, keep=0) == module.Pruned(0, 0, ())
