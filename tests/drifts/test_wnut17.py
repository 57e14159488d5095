"""Names in tweets, then in comments on YouTube, then in questions and discussions: when each change is noticed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.drifts.replay import WINDOW, Table, data, first_alarms, select
from tests.drifts.tuned import columns, read_signals, tune

pytest.importorskip("torch")
pytestmark = pytest.mark.slow

TRAINED, REFERENCE, ARRIVING = 600, 1000, 1400


def read(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in data(f"wnut17/{name}.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def signals(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Table]:
    """Signals of a model that was tuned on tweets: of other tweets, of comments, and of the test part."""
    from tuneloop.demo.corpus import weights
    from tuneloop.preprocessing import WordsPreprocessor
    from tuneloop.tasks import TokenClassification
    from tuneloop_transformers import TransformersTokens

    parts = {name: read(name) for name in ("train", "dev", "test")}
    order = np.random.default_rng(0).permutation(len(parts["train"]))
    tweets = [parts["train"][row] for row in order]
    task = TokenClassification(sorted({tag for row in tweets for tag in row["tags"]}))
    base = TransformersTokens(TransformersTokens.Options(checkpoint=str(weights())))
    words = WordsPreprocessor.fit(base.preprocessor(Path()).options, columns("tokens"), None)  # type: ignore[arg-type]
    rows = {name: [{"tokens": row["tokens"]} for row in part] for name, part in {**parts, "train": tweets}.items()}
    trained = [row["tags"] for row in tweets[:TRAINED]]
    predictor = tune(base, task, words, rows["train"][:TRAINED], trained, tmp_path_factory.mktemp("wnut17"))
    held = read_signals(predictor, rows["train"][TRAINED : TRAINED + REFERENCE + ARRIVING])
    return {
        "reference": select(held, np.arange(REFERENCE)),
        "tweets": select(held, np.arange(REFERENCE, REFERENCE + ARRIVING)),
        **{name: read_signals(predictor, rows[name][:WINDOW]) for name in ("dev", "test")},
    }


def after_tweets(signals: dict[str, Table], name: str) -> Table:
    """A window of tweets, and then the rows of another part."""
    return {
        label: np.concatenate([values[:WINDOW], signals[name][label]]) for label, values in signals["tweets"].items()
    }


def test_more_tweets_are_silent(signals: dict[str, Table]) -> None:
    assert first_alarms(signals["reference"], signals["tweets"]) == {}


@pytest.mark.parametrize("name", ["dev", "test"])
def test_another_source_is_noticed_within_a_window(signals: dict[str, Table], name: str) -> None:
    found = first_alarms(signals["reference"], after_tweets(signals, name))
    assert found, "no signal speaks"
    assert WINDOW < min(found.values()) < 2 * WINDOW
