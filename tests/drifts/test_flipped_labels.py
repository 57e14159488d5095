"""Incomes of Americans, predicted from a table: the people stay the same, and what is true of them changes.

Nothing that a request holds says so. What labels say of the answers does.
"""

from __future__ import annotations

import csv
import gzip
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.drifts.replay import DETECTORS, Table, data, first_alarms, first_rises, select

NUMBERS = ("age", "education_num", "capital_gain", "capital_loss", "hours_per_week")
TRAIN, HOLDOUT, CALM, LATER = 20_000, 5_000, 5_000, 10_000
BOTH = {detector.name for detector in DETECTORS}


@dataclass(frozen=True)
class Served:
    """A model at work: its holdout, and a stream of requests with its answers (as signals) and its errors."""

    holdout: Table
    stream: Table
    errors: NDArray[Any]


@pytest.fixture(scope="module")
def served() -> Served:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    rows: list[dict[str, str]] = []
    for name in ("train", "test"):
        with gzip.open(data(f"adult/{name}.csv.gz"), "rt") as file:
            rows += [{key.replace("-", "_"): value for key, value in row.items()} for row in csv.DictReader(file)]
    order = np.random.default_rng(0).permutation(len(rows))
    rows = [rows[place] for place in order]
    truth = np.array([row["income"] for row in rows])
    texts = [name for name in rows[0] if name not in (*NUMBERS, "income", "fnlwgt")]
    table: dict[str, NDArray[Any]] = {name: np.array([float(row[name]) for row in rows]) for name in NUMBERS}
    table |= {name: np.array([row[name] for row in rows]) for name in texts}
    numbers = np.stack([np.log1p(table[name]) for name in NUMBERS], axis=1)
    categories = np.stack([table[name] for name in texts], axis=1)
    encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=False).fit(categories[:TRAIN])
    inputs = np.concatenate([numbers, encoder.transform(categories)], axis=1)
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=200)).fit(inputs[:TRAIN], truth[:TRAIN])
    chances = model.predict_proba(inputs)
    answers = model.classes_[chances.argmax(axis=1)]
    table |= {"prediction": answers, "confidence": chances.max(axis=1)}
    places = np.arange(len(rows))
    start = TRAIN + HOLDOUT
    later = places[start : start + CALM + LATER]
    holdout = select(table, places[TRAIN:start])
    return Served(holdout, select(table, later), (answers != truth)[later].astype(float))


def flipped(errors: NDArray[Any], share: float) -> NDArray[Any]:
    """The errors when, after the calm part, a share of the labels says the opposite."""
    changed = np.random.default_rng(1).random(len(errors)) < share
    changed[:CALM] = False
    return np.where(changed, 1 - errors, errors)


def test_the_model_is_as_good_as_others_on_this_data(served: Served) -> None:
    assert 0.13 < served.errors.mean() < 0.17


def test_the_inputs_and_answers_say_nothing(served: Served) -> None:
    """Flipping labels changes none of them, so neither does it change this silence."""
    assert first_alarms(served.holdout, served.stream) == {}


def test_no_detector_speaks_while_labels_are_as_they_were(served: Served) -> None:
    assert first_rises(served.errors) == {}


@pytest.mark.parametrize(("share", "most"), [(1.0, 100), (0.5, 200), (0.2, 700)])
def test_detectors_speak_when_labels_are_flipped(served: Served, share: float, most: int) -> None:
    found = first_rises(flipped(served.errors, share))
    assert set(found) == BOTH
    for detector, rows in found.items():
        assert CALM < rows <= CALM + most, f"{detector} after {rows - CALM} labels"
