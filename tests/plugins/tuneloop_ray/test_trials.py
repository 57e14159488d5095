"""Trials of a search as tasks of a real Ray cluster; one of them is killed."""

from __future__ import annotations

import os
import random
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from tuneloop.config import load_project
from tuneloop.pipeline.runs.cache import perform
from tuneloop.pipeline.runs.records import RunRequest, create
from tuneloop.pipeline.runs.step import Scope
from tuneloop.pipeline.searching.trial import BEFORE
from tuneloop.pipeline.searching.variant import variant
from tuneloop.pipeline.tuning import search, tune
from tuneloop.plugins import default_manager

pytest.importorskip("torch")
pytest.importorskip("optuna")

# Ray uses parts of itself that it warns of.
pytestmark = pytest.mark.filterwarnings("default")

PROJECT = """\
name: points
task: tabular-classification
data: {{source: csv, path: points.csv, columns: {{label: side}},
  split: {{validation: 0.3, test: 0.1, golden: 0.1, key: id}}}}
model: {{base: tabular-mlp, hidden: [4]}}
tune: {{strategy: full, epochs: 2, learning_rate: 1.0e-3}}
launch: {{launcher: ray, address: "{address}"}}
search:
  trials: 4
  parallel: 2
  prune: none
  space: {{tune.learning_rate: {{low: 1.0e-4, high: 1.0e-1, log: true}}}}
"""


def scope_of(folder: Path, address: str) -> Scope:
    generator = random.Random(1)
    lines = ["id,x,y,side"]
    for number in range(300):
        x, y = generator.gauss(0, 1), generator.gauss(0, 1)
        lines.append(f"{number},{x:.4f},{y:.4f},{'up' if x + y > 0 else 'down'}")
    (folder / "points.csv").write_text("\n".join(lines) + "\n")
    (folder / "tuneloop.yaml").write_text(PROJECT.format(address=address))
    plugins = default_manager()
    project = load_project(folder, plugins)
    request = RunRequest(run="20260101-000000-test", project="points", started="2026-01-01T00:00:00Z", who="ada")
    content = (folder / "tuneloop.yaml").read_bytes()
    return Scope(project, plugins, create(project.state, request, content, None))


def trials_at_work() -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if path.read_bytes().startswith(b"ray::perform"):
                found.append(int(path.parent.name))
        except OSError:
            continue
    return found


@pytest.mark.cluster
def test_trials_run_on_the_cluster_and_one_that_is_lost_is_done_again(tmp_path, address):
    here = scope_of(tmp_path, address)
    done = {}
    for step in BEFORE:
        done[step.name] = perform(step, here, done)
    killed = []

    def listen(event):
        if event.kind == "record" and event.step == "search" and not killed and (pids := trials_at_work()):
            killed.append(pids[0])
            os.kill(pids[0], signal.SIGKILL)

    found = perform(search.STEP, replace(here, listen=listen), done).output
    assert killed
    assert [row["state"] for row in found["trials"] if row["state"] != "lost"] == ["complete"] * 4, found["trials"]
    assert perform(tune.STEP, variant(here, found["found"]), done).reused
