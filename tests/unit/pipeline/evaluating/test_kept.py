"""What `baseline` keeps of the probe: read again as it was, and never as a pickle."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tuneloop.api import Predictions
from tuneloop.pipeline.evaluating.kept import keep_probe, load_probe, same_references


def objects(*values: object) -> np.ndarray:
    found = np.empty(len(values), dtype=object)
    found[:] = values
    return found


def test_numbers_are_read_again(tmp_path: Path) -> None:
    scores, right = np.array([[0.25, 0.75], [0.5, 0.5]]), np.array([1, 0])
    keep_probe(tmp_path, (Predictions(np.array([1, 1]), scores, ("no", "yes")), right))
    found = load_probe(tmp_path, ("no", "yes"))
    assert found is not None
    assert found[0].values.tolist() == [1, 1]
    assert np.array_equal(found[0].scores, scores)  # type: ignore[arg-type]
    assert found[0].labels == ("no", "yes")
    assert found[1].tolist() == [1, 0]


def test_texts_are_read_again(tmp_path: Path) -> None:
    right = objects(("guten tag",), ("danke", "vielen dank"))
    keep_probe(tmp_path, (Predictions(objects("gute nacht", "dank\u00e9")), right))
    found = load_probe(tmp_path, ())
    assert found is not None
    assert found[0].values.tolist() == ["gute nacht", "dank\u00e9"]
    assert same_references(found[1], right)
    assert not same_references(found[1], objects(("guten tag",), ("danke",)))


def test_answers_of_another_kind_are_not_kept(tmp_path: Path) -> None:
    keep_probe(tmp_path, (Predictions(objects(["B-LOC"], ["O"])), objects(["B-LOC"], ["O"])))
    assert load_probe(tmp_path, ()) is None
    assert not list(tmp_path.iterdir())


def test_a_right_answer_of_0_may_be_rounded_too() -> None:
    numbers = np.array([0.0, 50_000.0, 120_000.0])
    scaled = ((numbers - numbers.mean()) / numbers.std()).astype(np.float32)
    assert same_references(numbers, scaled * np.float32(numbers.std()) + np.float32(numbers.mean()))
    assert not same_references(numbers, numbers + np.array([1.0, 0, 0]))


@pytest.mark.parametrize(
    ("other", "same"),
    [([1000.01, 2.0], True), ([1000.0, 2.1], False), ([1000.0], False), ([1000.0, np.nan], False)],
)
def test_right_answers_may_be_rounded(other: list[float], same: bool) -> None:
    assert same_references(np.array([1000.0, 2.0]), np.array(other, dtype=np.float32)) is same
