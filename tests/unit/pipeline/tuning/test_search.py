"""Searches of a small table project, with real training."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from tuneloop.artifact import Artifact
from tuneloop.config import load_project
from tuneloop.pipeline import run_pipeline
from tuneloop.pipeline.runs.cache import perform
from tuneloop.pipeline.runs.run import prepare
from tuneloop.pipeline.searching.trial import BEFORE
from tuneloop.pipeline.searching.variant import redo, variant
from tuneloop.pipeline.tuning import search, tune
from tuneloop.plugins import default_manager
from tuneloop.registry import Registry

pytest.importorskip("dbos")
pytest.importorskip("torch")
pytest.importorskip("optuna")

SEARCH = """
search:
  trials: {trials}
  parallel: {parallel}
  prune: {prune}
  space:
    tune.learning_rate: {{low: 1.0e-4, high: 1.0e-1, log: true}}
    tune.batch_size: [16, 32, 64]
"""
_DEADLINE = 600.0


def with_search(folder: Path, *, trials=6, parallel=1, prune="median", more="") -> Path:
    file = folder / "tuneloop.yaml"
    text = file.read_text().replace("learning_rate: 1.0e-2", "learning_rate: 1.0e-3")
    file.write_text(text + SEARCH.format(trials=trials, parallel=parallel, prune=prune) + more)
    return folder


def until_search(scope):
    done = {}
    for step in BEFORE:
        done[step.name] = perform(step, scope, done)
    return done


@pytest.fixture
def scope(tmp_path, write_project, scope_of):
    def make(**more):
        return scope_of(with_search(write_project(tmp_path / "income", epochs=3), **more))

    return make


def test_the_best_trial_is_better_than_the_projects_own_options_and_is_not_trained_again(scope):
    here = scope(trials=8)
    done = until_search(here)
    found = perform(search.STEP, here, done).output
    trials = {row["number"]: row for row in found["trials"]}
    assert trials[found["own"]]["values"] == {"tune.learning_rate": 1e-3, "tune.batch_size": 32}
    best = trials[found["best"]]
    assert best["value"] > trials[found["own"]]["value"] + 0.05
    assert found["found"] == best["values"]
    assert sum(found["importance"].values()) == pytest.approx(1.0)
    chosen = variant(here, found["found"])
    assert chosen.project.tune.options.learning_rate == best["values"]["tune.learning_rate"]
    tuned = perform(tune.STEP, chosen, done)
    assert tuned.reused
    assert max(record["macro_f1"] for record in tuned.output["history"]) == best["value"]
    assert len(list((here.project.state / "steps").glob("tune-*"))) == 1, "what did not win is gone"
    table = (here.project.state / "steps").glob("search-*/trials.csv")
    assert next(table).read_text().splitlines()[0] == (
        "trial,state,macro_f1,epochs,seconds,tune.learning_rate,tune.batch_size,reason"
    )
    assert perform(search.STEP, here, done).reused


def test_trials_see_neither_test_nor_golden_rows(scope):
    here = scope(trials=2)
    done = until_search(here)
    for path in (done["split"].folder / "test", done["split"].folder / "golden", done["baseline"].folder / "test"):
        shutil.rmtree(path)
    found = perform(search.STEP, here, done).output
    assert [row["state"] for row in found["trials"]] == ["complete", "complete"], found["trials"]


def test_options_of_model_and_transforms_are_searched_and_hold_afterwards(tmp_path, write_project, scope_of):
    folder = write_project(tmp_path / "income", epochs=1)
    file = folder / "tuneloop.yaml"
    more = "search: {trials: 3, sampler: grid, space: {model.hidden: [[4], [8, 8], [32]]}}\n"
    file.write_text(file.read_text() + more)
    here = scope_of(folder)
    done = until_search(here)
    output = perform(search.STEP, here, done).output
    assert [row["values"]["model.hidden"] for row in output["trials"]] == [[4], [8, 8], [32]]
    assert all(row["state"] == "complete" for row in output["trials"]), output["trials"]
    chosen = variant(here, output["found"])
    assert list(chosen.project.model.options.hidden) == output["found"]["model.hidden"]
    after = redo(BEFORE, here, chosen, done, perform)
    assert after["split"].fingerprint == done["split"].fingerprint
    assert after["baseline"].reused, "the trial had encoded the rows"
    assert perform(tune.STEP, chosen, after).reused


def test_a_failing_trial_is_a_finding_and_no_end(tmp_path, write_project, scope_of):
    folder = write_project(tmp_path / "income", epochs=1)
    file = folder / "tuneloop.yaml"
    more = "search: {trials: 4, sampler: grid, space: {tune.batch_size: [32, 16, 64, 8]}}\n"
    file.write_text(file.read_text() + more)
    here = scope_of(folder)
    done = until_search(here)
    train = done["baseline"].folder / "train"
    gone = train.with_name("gone")
    ended = []

    def listen(event):
        ended.append(event)
        if len(ended) == 1:
            train.rename(gone)
        elif len(ended) == 2:
            gone.rename(train)

    trials = perform(search.STEP, replace(here, listen=listen), done).output["trials"]
    assert [row["state"] for row in trials] == ["complete", "failed", "complete", "complete"], trials
    assert "train" in trials[1]["reason"]


def test_a_retraining_takes_what_was_found_for_the_champion(scope):
    here = scope(trials=3)
    done = until_search(here)
    chosen = {"tune.learning_rate": 0.05, "tune.batch_size": 16, "model": {"base": "other"}}
    retraining = replace(here, request=here.request.model_copy(update={"chosen": chosen}))
    output = perform(search.STEP, retraining, done).output
    assert output["taken"] == "champion"
    assert output["found"] == {"tune.learning_rate": 0.05, "tune.batch_size": 16}
    stale = replace(here, request=here.request.model_copy(update={"chosen": {"tune.learning_rate": 7.0}}))
    assert perform(search.STEP, stale, done).output["taken"] == "search", "the file does not allow it any more"


def test_a_retraining_searches_again_where_the_project_says_so(scope):
    here = scope(trials=1, more="  on_retrain: search\n")
    chosen = {"tune.learning_rate": 0.05, "tune.batch_size": 16}
    retraining = replace(here, request=here.request.model_copy(update={"chosen": chosen}))
    assert perform(search.STEP, retraining, until_search(here)).output["taken"] == "search"


def workers() -> list[int]:
    """Processes that do trials for this process."""
    children = Path(f"/proc/{os.getpid()}/task").glob("*/children")
    pids = {int(pid) for path in children for pid in path.read_text().split()}
    return [pid for pid in pids if b"searching.worker" in Path(f"/proc/{pid}/cmdline").read_bytes()]


def test_trials_run_beside_each_other_and_one_whose_process_is_killed_is_done_again(scope):
    here = scope(trials=5, parallel=2, prune="none")
    done = until_search(here)
    killed = []

    def listen(event):
        if event.kind == "record" and event.step == "search" and not killed:
            killed.append(workers()[0])
            os.kill(killed[0], signal.SIGKILL)

    output = perform(search.STEP, replace(here, listen=listen), done).output
    states = [row["state"] for row in output["trials"]]
    assert killed
    assert states.count("complete") == 5, output["trials"]
    assert all("SIGKILL" in row["reason"] for row in output["trials"] if row["state"] == "lost")
    assert workers() == []
    assert perform(tune.STEP, variant(here, output["found"]), done).reused


def begin(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    for name in ("MLFLOW_TRACKING_URI", "TUNELOOP_DATABASE_URL"):
        environment.pop(name, None)
    command = [sys.executable, "-m", "tuneloop.cli.main", "run", *arguments, "--project", str(folder)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment)


@pytest.mark.cluster
def test_a_run_that_is_killed_while_it_searches_ends_as_one_that_is_not(tmp_path, write_project):
    found = {}
    for name, kills in (("whole", 0), ("killed", 3)):
        folder = with_search(write_project(tmp_path / name / "income", epochs=3), trials=6)
        process = begin(folder)
        for _ in range(kills):
            deadline, log = time.monotonic() + _DEADLINE, ""
            assert process.stdout is not None
            while time.monotonic() < deadline and "trial" not in log and process.poll() is None:
                log = process.stdout.readline()
            process.kill()
            process.communicate()
            process = begin(folder, "--resume")
        output, _ = process.communicate(timeout=_DEADLINE)
        assert process.returncode == 0, output
        (path,) = (folder / ".tuneloop" / "steps").glob("search-*/output.json")
        found[name] = json.loads(path.read_text())["output"]
        (artifact,) = (folder / ".tuneloop" / "steps").glob("profile-*/artifact")
        found[name]["sha256"] = Artifact.open(artifact).sha256
        assert len(list((folder / ".tuneloop" / "steps").glob("tune-*"))) == 1, "what did not win is gone"
    ended = [row for row in found["killed"]["trials"] if row["state"] != "lost"]
    assert [(row["values"], row["value"]) for row in ended] == [
        (row["values"], row["value"]) for row in found["whole"]["trials"]
    ]
    assert found["killed"]["found"] == found["whole"]["found"]
    assert found["killed"]["sha256"] == found["whole"]["sha256"]


@pytest.mark.slow
def test_what_is_served_is_searched_over_as_well(tmp_path, write_project, scope_of):
    folder = write_project(tmp_path / "income", epochs=1)
    file = folder / "tuneloop.yaml"
    more = "search: {trials: 2, sampler: grid, space: {export.quantize: [null, {mode: int8-dynamic}]}}\n"
    file.write_text(file.read_text() + more)
    here = scope_of(folder)
    output = perform(search.STEP, here, until_search(here)).output
    assert [row["state"] for row in output["trials"]] == ["complete"] * 2, output["trials"]


@pytest.mark.slow
def test_a_whole_run_tells_what_it_found(tmp_path, write_project):
    from mlflow import MlflowClient

    folder = with_search(write_project(tmp_path / "income", epochs=3, wanted=0.3), trials=5)
    project = load_project(folder, default_manager())
    seen = []
    result = run_pipeline(project, default_manager(), listen=seen.append)
    finished = [event.step for event in seen if event.kind == "finished"]
    assert finished[3:6] == ["baseline", "search", "tune"]
    manifest = Artifact.open(result.artifact).manifest
    assert manifest.chosen.keys() == {"tune.learning_rate", "tune.batch_size"}
    assert f"tune.batch_size: {manifest.chosen['tune.batch_size']}" in (result.artifact / "card.md").read_text()
    spent = json.loads(next((project.state / "steps").glob("search-*/output.json")).read_bytes())["output"]["energy"]
    used = f"Energy of training: {spent['kwh']:.4g} kWh in {spent['seconds']:.0f} s on {spent['hardware']}; CO2"
    assert used in (result.report.parent / "card.md").read_text(), "the search has trained what the run serves"
    page = result.report.read_text()
    assert '<section id="search">' in page
    assert "5 trials, judged by macro_f1" in page
    client = MlflowClient(Registry(project).uri)
    (run,) = client.search_runs([client.get_experiment_by_name(project.name).experiment_id])
    assert run.data.metrics["search/trials"] == 5
    assert run.data.metrics["search/best_macro_f1"] >= run.data.metrics["search/own_macro_f1"]
    assert run.data.params["tune.batch_size"] == run.data.params["found.tune.batch_size"]
    assert "trials.csv" in [one.path for one in client.list_artifacts(run.info.run_id)]
    rows = tmp_path / "labelled.jsonl"
    rows.write_text('{"key": "1", "row": {"age": 30, "hours": 20.0, "job": "cook"}, "label": "low"}\n')
    retraining = prepare(
        project, default_manager(), "20260101-000000-next", feedback=rows, promote=False, who="ada", listen=print
    )
    assert retraining.request.chosen == manifest.chosen
    assert search.STEP.inputs(retraining)["reused"] == manifest.chosen
