"""Is a sentence friendly? Learned from film reviews; then tweets come, reviews of goods, or columns of a newspaper.

What is watched is what servers watch of texts: answers, their confidence, length, and the share of unknown words.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.drifts.replay import WINDOW, Table, data, first_alarms, first_rises, select

TRAIN, HOLDOUT = 6000, 2300
DOMAINS = ("tweets", "amazon", "nyt")


@dataclass(frozen=True)
class Domain:
    """Signals of each sentence, and whether the answer was wrong, in mixed order."""

    signals: Table
    errors: NDArray[Any]


def read(domain: str) -> tuple[list[str], NDArray[Any]]:
    """Sentences that people did not find neutral, in mixed order, and whether they found them friendly."""
    rows = [json.loads(line) for line in data(f"sentiment_domains/{domain}.jsonl").read_text().splitlines()]
    rows = [row for row in rows if row["rating"]]
    order = np.random.default_rng(0).permutation(len(rows))
    return [rows[place]["text"] for place in order], np.array([rows[place]["rating"] > 0 for place in order])


@pytest.fixture(scope="module")
def domains() -> dict[str, Domain]:
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    texts, friendly = read("movies")
    words = TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True)
    model = LogisticRegression(C=4.0, max_iter=300).fit(words.fit_transform(texts[:TRAIN]), friendly[:TRAIN])
    split: Callable[[str], list[str]] = TfidfVectorizer().build_analyzer()
    known = {word for text in texts[:TRAIN] for word in split(text)}

    def served(some: list[str], truth: NDArray[Any]) -> Domain:
        chances = model.predict_proba(words.transform(some))
        answers = model.classes_[chances.argmax(axis=1)]
        parts = [split(text) for text in some]
        signals = {
            "prediction": answers.astype(str),
            "confidence": chances.max(axis=1),
            "characters": np.array([float(len(text)) for text in some]),
            "unknown": np.array([np.mean([word not in known for word in part] or [0.0]) for part in parts]),
        }
        return Domain(signals, (answers != truth).astype(float))

    found = {name: served(*read(name)) for name in DOMAINS}
    return {"movies": served(texts[TRAIN:], friendly[TRAIN:]), **found}


def holdout(domains: dict[str, Domain]) -> Table:
    return select(domains["movies"].signals, np.arange(HOLDOUT))


def calm(domains: dict[str, Domain]) -> tuple[Table, NDArray[Any]]:
    """Film reviews after the holdout: signals and errors."""
    movies = domains["movies"]
    rows = np.arange(HOLDOUT, len(movies.errors))
    return select(movies.signals, rows), movies.errors[rows]


def test_more_film_reviews_are_silent(domains: dict[str, Domain]) -> None:
    signals, errors = calm(domains)
    assert len(errors) > 2 * WINDOW
    assert first_alarms(holdout(domains), signals) == {}
    assert first_rises(errors) == {}


@pytest.mark.parametrize("name", DOMAINS)
def test_another_domain_is_noticed(domains: dict[str, Domain], name: str) -> None:
    signals, errors = calm(domains)
    before = len(errors)
    stream = {key: np.concatenate([values, domains[name].signals[key]]) for key, values in signals.items()}
    found = {key: rows - before for key, rows in first_alarms(holdout(domains), stream).items()}
    assert 0 < found["unknown"] < WINDOW
    assert min(found.values()) > 0
    rises = {key: rows - before for key, rows in first_rises(np.concatenate([errors, domains[name].errors])).items()}
    assert set(rises) == {"adwin", "page-hinkley"}
    assert min(rises.values()) > 0
    assert max(rises.values()) < min(found.values()), "labels that come at once tell sooner than a window does"


@pytest.mark.parametrize("name", DOMAINS)
def test_the_answers_did_get_worse(domains: dict[str, Domain], name: str) -> None:
    assert calm(domains)[1].mean() < 0.25 < 0.35 < domains[name].errors.mean()
