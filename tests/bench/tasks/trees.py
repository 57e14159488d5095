"""The plain reference of tables: scikit-learn's boosted trees with their defaults, and what both sides are given."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Row: TypeAlias = dict[str, Any]
NAME = "HistGradientBoosting"
TOLERANCE = 0.01
"""Relative: how much worse than the trees still counts as reached."""


def number(text: str) -> float | str | None:
    """The text of a cell as a number where it is one; None where it is empty."""
    if not text:
        return None
    try:
        return float(text)
    except ValueError:
        return text


def chances(train: Sequence[Row], tested: Sequence[Row], target: str, label: str, seed: int = 0) -> NDArray[np.float64]:
    """The probability of `label` that trees give each tested row, `[n]`."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    table, seen = _tables(train, tested, target)
    model = HistGradientBoostingClassifier(categorical_features="from_dtype", random_state=seed)
    model.fit(table, [row[target] for row in train])
    found: NDArray[np.float64] = model.predict_proba(seen)[:, list(model.classes_).index(label)]
    return found


def values(train: Sequence[Row], tested: Sequence[Row], target: str, seed: int = 0) -> NDArray[np.float64]:
    """The numbers that trees answer the tested rows, `[n]`."""
    from sklearn.ensemble import HistGradientBoostingRegressor

    table, seen = _tables(train, tested, target)
    model = HistGradientBoostingRegressor(categorical_features="from_dtype", random_state=seed)
    found: NDArray[np.float64] = model.fit(table, [row[target] for row in train]).predict(seen)
    return found


def rmse(answers: NDArray[np.float64], rows: Sequence[Row], target: str) -> float:
    """The root of the mean squared error."""
    return float(np.sqrt(np.mean((answers - np.array([row[target] for row in rows], float)) ** 2)))


def _tables(train: Sequence[Row], tested: Sequence[Row], target: str) -> tuple[Any, Any]:
    import pandas

    table = pandas.DataFrame([{name: value for name, value in row.items() if name != target} for row in train])
    seen = pandas.DataFrame(list(tested), columns=table.columns)
    for name in table.columns:
        if table[name].dtype == float:
            continue
        kinds = pandas.CategoricalDtype(sorted(table[name].dropna().unique()))
        known = seen[name].isin(kinds.categories)
        table[name], seen[name] = table[name].astype(kinds), seen[name].where(known).astype(kinds)
    return table, seen
