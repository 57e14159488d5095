"""Metrics of texts that are written after each epoch: in the record, for early stopping, and for a search."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit.pipeline.tuning.pairs import YAML, write_pairs

from tuneloop.artifact import TRAINING
from tuneloop.pipeline.evaluating.scoring import Scorer
from tuneloop.pipeline.evaluating.written import judge_model
from tuneloop.pipeline.runs.cache import perform
from tuneloop.pipeline.searching.trial import BEFORE
from tuneloop.pipeline.searching.variant import variant
from tuneloop.pipeline.tuning import search, tune
from tuneloop.pipeline.tuning.texts import rows_to_write
from tuneloop.pipeline.tuning.training import Training

pytest.importorskip("torch")
pytest.importorskip("optuna")

SEARCH = """
search:
  {more}
  space: {{tune.learning_rate: [1.0e-3, 3.0e-2]}}
"""


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_pairs(tmp_path_factory.mktemp("texts") / "desk")


@pytest.fixture
def before(root, scope_of):
    """A function from the text of the project file to its scope, and the steps up to tuning."""

    def make(text: str, run: str, folder: Path = root):
        (folder / "tuneloop.yaml").write_text(text)
        scope, done = scope_of(folder, f"20260101-000000-{run}"), {}
        for step in BEFORE:
            done[step.name] = perform(step, scope, done)
        return scope, done

    return make


def hashes(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (folder / TRAINING).glob("*.safetensors")}


def test_the_metric_of_what_is_written_picks_the_epoch_and_changes_no_weight(before):
    scope, done = before(YAML.replace("1.0e-3", "2.0e-2"), "plain")
    plain = perform(tune.STEP, scope, done)
    assert rows_to_write(scope) == 0
    assert set(plain.output["history"][0]) == {"epoch", "loss", "validation_loss", "perplexity"}
    asked, _ = before(
        YAML.replace("1.0e-3", "2.0e-2, written_rows: 9, early_stopping: {metric: chrf, patience: 9}"), "asked"
    )
    found = perform(tune.STEP, asked, done)
    history = found.output["history"]
    assert set(history[0]) == {"epoch", "loss", "validation_loss", "perplexity", "chrf", "bleu"}
    told = [{k: v for k, v in record.items() if k not in ("chrf", "bleu")} for record in history]
    assert told == plain.output["history"], "the same training"
    best = next(record for record in history if record["epoch"] == found.output["best_epoch"])
    assert best["chrf"] == max(record["chrf"] for record in history) > 10
    if found.output["best_epoch"] == plain.output["best_epoch"]:
        assert hashes(found.folder) == hashes(plain.folder)
    # What the record tells is what the kept model writes for the first rows.
    from tuneloop.pipeline.data.rows import model_rows, truths
    from tuneloop.pipeline.runs import parts
    from tuneloop.pipeline.runs.step import StepContext

    context = StepContext(asked, found.folder, {**done, "tune": found})
    training, rows = Training(context), parts.split_rows(context, "validation")
    columns, model = parts.columns_of(context, rows), parts.tuned_model(context)
    judged = judge_model(
        model, training.task, training.preprocessor, model_rows(rows, columns), truths(rows, columns), 9
    )
    assert len(judged[1]) == 9
    assert Scorer(asked.project, asked.plugins).score(*judged)["chrf"] == pytest.approx(best["chrf"])


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*find_unused_parameters.*")
def test_two_processes_tell_what_one_does(before, tmp_path):
    text = YAML.replace("1.0e-3", "2.0e-2, early_stopping: {metric: chrf}")
    alone = perform(tune.STEP, *before(text, "alone", write_pairs(tmp_path / "alone" / "desk"))).output
    text += "launch: {launcher: torchrun, processes: 2, threads: 1}\n"
    told = []
    scope, done = before(text, "two", write_pairs(tmp_path / "two" / "desk"))
    both = perform(tune.STEP, replace(scope, listen=told.append), done).output
    assert both["best_epoch"] == alone["best_epoch"]
    assert [record["chrf"] for record in both["history"]] == [record["chrf"] for record in alone["history"]]
    for one, other in zip(both["history"], alone["history"], strict=True):
        assert one == pytest.approx(other, abs=1e-3)
    assert [event.data for event in told if event.kind == "record"] == both["history"]


@pytest.mark.parametrize("parallel", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_search_goes_by_what_is_written(before, tmp_path, parallel):
    more = f"trials: 2\n  sampler: grid\n  parallel: {parallel}"
    # A folder of its own: where trials run changes nothing of what a search finds, so it would not be done again.
    scope, done = before(YAML + SEARCH.format(more=more), "search", write_pairs(tmp_path / "desk"))
    assert rows_to_write(scope) == 100
    found = perform(search.STEP, scope, done).output
    assert [row["state"] for row in found["trials"]] == ["complete"] * 2, found["trials"]
    assert (found["metric"], found["maximize"]) == ("chrf", True)
    assert found["found"] == {"tune.learning_rate": 3e-2}, "the one that learns"
    table = next((scope.project.state / "steps").glob("search-*/trials.csv")).read_text()
    assert table.startswith("trial,state,chrf,epochs,seconds,tune.learning_rate,reason\n")
    tuned = perform(tune.STEP, variant(scope, found["found"]), done)
    assert tuned.reused
    best = next(record for record in tuned.output["history"] if record["epoch"] == tuned.output["best_epoch"])
    (value,) = [row["value"] for row in found["trials"] if row["number"] == found["best"]]
    assert value == best["chrf"]
    (row,) = [row for row in found["trials"] if row["number"] == found["best"]]
    told = {str(place + 1): record["chrf"] for place, record in enumerate(tuned.output["history"])}
    assert {str(step): told for step, told in row["curve"].items()} == pytest.approx(told), "what trials are pruned by"


def test_a_search_by_perplexity_writes_nothing_and_prunes_by_its_curve(before):
    more = "metric: perplexity\n  prune: median\n  trials: 2\n  sampler: grid"
    scope, done = before(YAML + SEARCH.format(more=more), "perplexity")
    records = []
    found = perform(search.STEP, replace(scope, listen=records.append), done).output
    assert rows_to_write(scope) == 0
    assert (found["metric"], found["maximize"]) == ("perplexity", False)
    assert found["found"] == {"tune.learning_rate": 3e-2}
    assert [record.data["trial"] for record in records if record.kind == "record"] == [0, 1]
