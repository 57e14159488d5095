"""A trial whose validation curve is worse than those of others is ended by the study, while it trains."""

from __future__ import annotations

import pytest

from tuneloop.config.search import Search
from tuneloop.pipeline.runs.cache import perform
from tuneloop.pipeline.searching.storage import close_study, open_study
from tuneloop.pipeline.searching.trial import BEFORE, run_trial

pytest.importorskip("torch")
optuna = pytest.importorskip("optuna")

EPOCHS, GOOD = 9, 4
RATE = "tune.learning_rate"


@pytest.fixture
def scope(tmp_path, write_project, scope_of):
    return scope_of(write_project(tmp_path / "income", rows=200, epochs=EPOCHS))


def begin(study):
    """A trial, with one option drawn: its number among all of the storage."""
    trial = study.ask({RATE: optuna.distributions.FloatDistribution(1e-9, 1.0, log=True)})
    return trial, trial._trial_id


def learn(study):
    """A trial with a good curve, to its end, whatever the pruner says."""
    trial, _ = begin(study)
    for epoch in range(1, EPOCHS + 1):
        trial.report(0.9 + epoch / 100, epoch)
        trial.should_prune()
    study.tell(trial, 0.99)


def test_a_trial_behind_good_curves_is_ended_early_and_few_curves_end_none(scope):
    before = {}
    for step in BEFORE:
        before[step.name] = perform(step, scope, before)
    results = {
        name: {"fingerprint": one.fingerprint, "folder": str(one.folder), "output": one.output}
        for name, one in before.items()
    }

    def tried(prune, good, rate):
        url, name = f"sqlite:///{scope.project.state / 'search.db'}", f"{prune}-{good}"
        study = open_study(url, name, Search({}, prune=prune), maximize=True)
        for _ in range(good):
            learn(study)
        _, number = begin(study)
        found = {"url": url, "name": name, "prune": prune, "trial": number, "metric": "macro_f1", "maximize": True}
        output = run_trial(scope, {**found, "changes": {}, "values": {RATE: rate}, "before": results})
        curve = study.trials[-1].intermediate_values
        close_study(study)
        assert list(curve) == list(range(1, output["epochs"] + 1)), "each epoch was told to the study"
        return output

    behind = tried("median", GOOD, 1e-9)
    assert (behind["state"], behind["value"], behind["reason"]) == ("pruned", None, "")
    assert behind["epochs"] == 2, "the first epoch says too little"
    assert behind["folders"], "what it began is left to be removed"
    assert tried("median", GOOD - 1, 2e-9)["epochs"] == EPOCHS
    behind = tried("hyperband", 2 * GOOD, 3e-9)
    assert (behind["state"], behind["value"]) == ("pruned", None)
    assert behind["epochs"] < EPOCHS
