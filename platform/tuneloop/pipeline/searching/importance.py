"""How much of the differences between trials each option explains."""

from __future__ import annotations

from typing import Any

_FEWEST = 4
_SEED = 0


def importances(study: Any) -> dict[str, float]:
    """Share by option, the largest first, together 1; empty where the trials cannot tell.

    By functional analysis of variance over a random forest (fANOVA): Hutter, Hoos, Leyton-Brown, An Efficient Approach
    for Assessing Hyperparameter Importance, ICML 2014. Options that not every trial had are left out.
    """
    import optuna

    done = [trial for trial in study.get_trials(deepcopy=False) if trial.state.name == "COMPLETE"]
    values = {trial.value for trial in done}
    if len(done) < _FEWEST or len(values) < 2:
        return {}
    evaluator = optuna.importance.FanovaImportanceEvaluator(seed=_SEED)
    found = optuna.importance.get_param_importances(study, evaluator=evaluator)
    return {name: float(share) for name, share in found.items() if share == share}
