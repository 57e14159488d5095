"""All signals at once: can a classifier tell current rows from reference rows?

The classifier two-sample test: Lopez-Paz and Oquab, "Revisiting classifier two-sample tests", ICLR 2017. It sees what
no single signal shows, such as two columns that no longer go together. Every row is scored by a classifier that was
fitted without it. The p-value comes from fitting everything again with shuffled labels: scores of different folds
depend on each other, and the usual formula for one test set alarms too often (its standard deviation is 1.4 times too
small without any change).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuneloop.api import MissingExtraError
from tuneloop.monitoring.offline.auc import auc, mean_error, standard_error
from tuneloop.monitoring.offline.features import Features, make_features
from tuneloop.monitoring.offline.samples import Sample

LEAST_ROWS = 50
"""On each side; with fewer the classifier learns nothing."""
_FOLDS = 5
_ENOUGH = 10
"""Shuffles that reach the AUC found before the test stops: no drift, and more shuffles would not change that.

Besag and Clifford, "Sequential Monte Carlo p-values", Biometrika 78 (1991).
"""
_REPEATS = 5


@dataclass(frozen=True, slots=True)
class JointTest:
    """What a classifier found.

    Attributes:
        rows: Reference and current rows it was shown.
        auc: The chance that it scores a current row above a reference row; 0.5: it cannot tell them apart.
        low: Lower end of the 95 % interval of the AUC.
        high: Upper end.
        pvalue: Of the permutation test.
        permutations: Shuffles that were made.
        importance: Label to the loss of AUC when the signal is shuffled among the rows, the greatest first.
        telling: Positions of the current rows that look least like the reference, with the probability that a row like
            them is a current one, were both kinds equally many.
    """

    rows: tuple[int, int]
    auc: float
    low: float
    high: float
    pvalue: float
    permutations: int
    importance: tuple[tuple[str, float], ...]
    telling: tuple[tuple[int, float], ...]


@dataclass(frozen=True, eq=False, slots=True)
class _Fold:
    model: Any
    rows: NDArray[np.int64]
    scores: NDArray[np.float64]
    auc: float
    error: float


def joint_test(
    samples: Sequence[Sample], *, permutations: int = 99, most_rows: int = 1000, telling: int = 10, seed: int = 0
) -> JointTest:
    """Test all samples together.

    Args:
        samples: Of equal length on each side, at least `LEAST_ROWS`.
        permutations: Most shuffles; the smallest p-value is `1 / (permutations + 1)`.
        most_rows: Rows of each side that are used; more are drawn from, by chance.
        telling: How many current rows to name.
        seed: Of everything drawn.

    Raises:
        MissingExtraError: scikit-learn is not installed.
    """
    generator = np.random.default_rng(seed)
    chosen = [
        np.sort(generator.choice(len(side), min(len(side), most_rows), replace=False))
        for side in (samples[0].reference, samples[0].current)
    ]
    features = make_features([Sample(s.label, s.kind, s.reference[chosen[0]], s.current[chosen[1]]) for s in samples])
    rows = (len(chosen[0]), len(chosen[1]))
    if not features.values.shape[1]:
        return JointTest(rows, 0.5, 0.5, 0.5, 1.0, 0, (), ())
    try:
        # The limit below holds for libraries that are loaded by then.
        import sklearn.ensemble  # noqa: F401
        from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]
    except ImportError as error:
        raise MissingExtraError("the joint test", "scikit-learn", "train") from error
    shuffled: list[float] = []
    # Each fit is too small for several threads: they would mostly wait for each other, and spin.
    with threadpool_limits(1):
        folds = _cross_fit(features.values, features.current, seed)
        found = _mean_auc(folds)
        while len(shuffled) < permutations and sum(value >= found for value in shuffled) < _ENOUGH:
            shuffled.append(_mean_auc(_cross_fit(features.values, generator.permutation(features.current), seed)))
    reached = sum(value >= found for value in shuffled)
    pvalue = reached / len(shuffled) if reached == _ENOUGH else (1 + reached) / (1 + len(shuffled))
    # Without a change the folds' common rows make the AUC vary more than DeLong's figure knows.
    spread = max(mean_error([fold.error for fold in folds]), float(np.std(shuffled)) if len(shuffled) > 1 else 0.0)
    return JointTest(
        rows,
        found,
        max(0.0, found - 1.96 * spread),
        min(1.0, found + 1.96 * spread),
        pvalue,
        len(shuffled),
        _importance(folds, features, generator),
        _most_telling(folds, rows[0], chosen[1], telling),
    )


def _cross_fit(values: NDArray[np.float32], current: NDArray[np.int64], seed: int) -> list[_Fold]:
    from sklearn.model_selection import StratifiedKFold

    folds = []
    for fitted, held in StratifiedKFold(_FOLDS, shuffle=True, random_state=seed).split(values, current):
        model = _fit(values[fitted], current[fitted])
        scores = _score(model, values[held])
        right = current[held]
        folds.append(_Fold(model, held, scores, auc(scores, right), standard_error(scores, right)))
    return folds


def _fit(values: NDArray[np.float32], current: NDArray[np.int64]) -> tuple[Any, Any]:
    """A linear model, which finds small shifts, and trees, which find what goes together: neither is best at both."""
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.linear_model import LogisticRegression

    trees = HistGradientBoostingClassifier(
        max_iter=20,
        learning_rate=0.2,
        max_leaf_nodes=8,
        max_bins=32,
        l2_regularization=1.0,
        early_stopping=False,
        random_state=0,
    )
    line = LogisticRegression(C=0.1, max_iter=200)
    return trees.fit(values, current), line.fit(values, current)


def _score(models: tuple[Any, Any], values: NDArray[np.float32]) -> NDArray[np.float64]:
    """The mean of the two models' probabilities that a row is current."""
    scores: NDArray[np.float64] = np.mean([model.predict_proba(values)[:, 1] for model in models], axis=0)
    return scores


def _mean_auc(folds: Sequence[_Fold]) -> float:
    return float(np.mean([fold.auc for fold in folds]))


def _importance(
    folds: Sequence[_Fold], features: Features, generator: np.random.Generator
) -> tuple[tuple[str, float], ...]:
    """Breiman's permutation importance on the held-out rows, all features of a signal shuffled together."""
    found = {}
    for label, columns in features.groups.items():
        losses = [
            fold.auc - _shuffled_auc(fold, features, columns, generator)
            for fold in folds
            for _ in range(_REPEATS if columns else 0)
        ]
        found[label] = float(np.mean(losses)) if losses else 0.0
    return tuple(sorted(found.items(), key=lambda pair: (-pair[1], pair[0])))


def _shuffled_auc(fold: _Fold, features: Features, columns: list[int], generator: np.random.Generator) -> float:
    values = features.values[fold.rows]
    values[:, columns] = generator.permutation(values[:, columns])
    return auc(_score(fold.model, values), features.current[fold.rows])


def _most_telling(
    folds: Sequence[_Fold], reference_rows: int, positions: NDArray[np.int64], most: int
) -> tuple[tuple[int, float], ...]:
    odds = reference_rows / len(positions)
    scored = [
        (float(score * odds / (score * odds + 1 - score)), int(positions[row - reference_rows]))
        for fold in folds
        for row, score in zip(fold.rows, fold.scores, strict=True)
        if row >= reference_rows
    ]
    best = sorted(scored, key=lambda pair: (-pair[0], pair[1]))[:most]
    return tuple((position, score) for score, position in best)
