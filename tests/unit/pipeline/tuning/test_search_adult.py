"""A search on real rows: what it finds is at least as good as what the project says, on rows that no trial saw."""

from __future__ import annotations

import gzip
import os
import random
from pathlib import Path

import pytest

from tuneloop.pipeline.evaluating import evaluate
from tuneloop.pipeline.runs.cache import perform
from tuneloop.pipeline.searching.trial import BEFORE
from tuneloop.pipeline.searching.variant import variant
from tuneloop.pipeline.tuning import search, tune

pytest.importorskip("torch")
pytest.importorskip("optuna")

ADULT = Path(os.environ.get("TUNELOOP_TEST_DATA", Path(__file__).parents[5] / "shared" / "data")) / "adult"
PROJECT = """\
name: adult
task: tabular-classification
data: {source: csv, path: adult.csv, columns: {label: income}, split: {validation: 0.25, test: 0.25, golden: 0.05}}
model: {base: tabular-mlp, hidden: [16]}
tune: {strategy: full, epochs: 3, learning_rate: 1.0e-4}
evaluate: {metrics: [macro_f1, accuracy]}
search:
  trials: 10
  space:
    tune.learning_rate: {low: 1.0e-5, high: 1.0e-1, log: true}
    tune.batch_size: [32, 64, 128]
    tune.class_weights: [none, balanced]
"""


@pytest.mark.slow
@pytest.mark.skipif(not ADULT.is_dir(), reason=f"the data set is not at {ADULT}")
def test_the_options_found_are_better_than_the_projects_own(tmp_path, scope_of):
    folder = tmp_path / "adult"
    folder.mkdir()
    with gzip.open(ADULT / "train.csv.gz", "rt") as stream:
        head, *lines = stream.readlines()
    random.Random(3).shuffle(lines)
    (folder / "adult.csv").write_text(head + "".join(lines[:4000]))
    (folder / "tuneloop.yaml").write_text(PROJECT)
    here, done = scope_of(folder), {}
    for step in BEFORE:
        done[step.name] = perform(step, here, done)
    found = perform(search.STEP, here, done).output
    trials = {row["number"]: row for row in found["trials"]}
    assert trials[found["best"]]["value"] > trials[found["own"]]["value"]
    tested = []
    for scope in (here, variant(here, found["found"])):
        after = {**done, "tune": perform(tune.STEP, scope, done)}
        tested.append(perform(evaluate.STEP, scope, after).output["metrics"]["test"]["macro_f1"])
    assert tested[1] > tested[0]
