"""Base models are compared for real, on the validation rows, and one is taken."""

from __future__ import annotations

import shutil
from dataclasses import replace

import numpy as np
import pytest

from tuneloop.api import RunError
from tuneloop.config.search import Candidates, Search
from tuneloop.pipeline.choosing.cost import count_weights
from tuneloop.pipeline.data import check, load, split
from tuneloop.pipeline.runs.cache import perform
from tuneloop.pipeline.runs.workflow import steps_of
from tuneloop.pipeline.searching.variant import variant
from tuneloop.pipeline.tuning import candidates

pytest.importorskip("torch")

TWO = "model: {candidates: [{base: tabular-mlp, hidden: [2]}, {base: tabular-mlp, hidden: [32, 32]}], limits: %s}"

ONE = "model: {candidates: [{base: tabular-mlp, hidden: [2]}], limits: %s}"


@pytest.fixture
def compared(tmp_path, write_project, scope_of):
    """Compares the candidates of a project; gives its scope, and the steps before."""

    def make(limits="{}", model=TWO):
        folder = write_project(tmp_path / "income", rows=300, epochs=9)
        file = folder / "tuneloop.yaml"
        text = file.read_text().replace("model: {base: tabular-mlp, hidden: [16]}", model.replace("%s", limits))
        file.write_text(text)
        scope, done = scope_of(folder), {}
        for step in (load.STEP, check.STEP, split.STEP):
            done[step.name] = perform(step, scope, done)
        return scope, done

    return make


def test_the_better_model_is_taken_and_test_rows_are_never_read(compared):
    scope, done = compared()
    for name in ("test", "golden"):
        shutil.rmtree(done["split"].folder / name)
    records = []
    output = perform(candidates.STEP, replace(scope, listen=records.append), done).output
    small, large = output["lines"]
    assert output["found"] == {"model": {"base": "tabular-mlp", "hidden": [32, 32]}}
    assert large["score"] > small["score"]
    assert small["cost"]["parameters"] < large["cost"]["parameters"]
    assert all(0 < line["cost"]["latency_ms"] < 1000 for line in output["lines"])
    assert all(0 < line["cost"]["memory_mb"] < 500 for line in output["lines"])
    assert "for at most 3 epochs" in output["probe"]
    names = ["tabular-mlp (hidden: [2])", "tabular-mlp (hidden: [32, 32])"]
    assert [record.data["base"] for record in records] == names
    assert (output["summary"]["chosen"], large["options"]) == (names[1], "hidden: [32, 32]")
    assert variant(scope, output["found"]).project.model.options.hidden == (32, 32)
    folder = next((scope.project.state / "steps").glob("candidates-*"))
    assert not list(folder.glob("[0-9]*")), "what was encoded for the comparison is gone"


def test_an_impossible_limit_refuses_with_the_table(compared):
    scope, done = compared("{parameters: 1}", ONE)
    with pytest.raises(RunError, match=r"none of the candidates can be taken.*\n.*macro_f1.*\n.*of at most 1$"):
        perform(candidates.STEP, scope, done)


def test_a_retraining_keeps_the_champions_model(compared):
    scope, done = compared()
    chosen = {"model": {"base": "tabular-mlp", "hidden": [2]}, "tune.epochs": 3}
    request = scope.request.model_copy(update={"chosen": chosen})
    output = perform(candidates.STEP, replace(scope, request=request), done).output
    assert (output["taken"], output["found"]) == ("champion", {"model": chosen["model"]})


def test_only_projects_that_leave_something_open_have_the_steps(table_project, scope_of):
    plain = scope_of(table_project).project
    assert {"candidates", "search"}.isdisjoint(step.name for step in steps_of(plain))
    both = replace(plain, candidates=Candidates(({"base": "tabular-mlp"},)), search=Search({}))
    names = [step.name for step in steps_of(both)]
    assert names[:7] == ["load", "check", "split", "candidates", "baseline", "search", "tune"]


def test_weights_are_counted_from_the_files(tmp_path):
    from safetensors.numpy import save_file

    save_file({"a": np.zeros((3, 4)), "b": np.zeros(5)}, tmp_path / "model.safetensors", metadata={"x": "y"})
    (tmp_path / "deep").mkdir()
    save_file({"c": np.zeros(())}, tmp_path / "deep" / "more.safetensors")
    assert count_weights(tmp_path) == 18
