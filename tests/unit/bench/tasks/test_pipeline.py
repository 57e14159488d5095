from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.bench.tasks.pipeline import KEY, PLACES, QUARTERS, apart, held_out, keys, measure

from tuneloop.config.project import Split
from tuneloop.pipeline.data.assign import assign

QUICK = {"strategy": "full", "epochs": 2, "learning_rate": 1e-2}


@given(st.lists(st.sampled_from(PLACES), min_size=1, max_size=60))
def test_keys_put_each_row_where_it_is_wanted(places):
    rows = [{KEY: key, "x": 1.0, "y": "a"} for key in keys(places)]
    assert assign(rows, ["x"], Split(**QUARTERS), "y") == places


@given(st.lists(st.integers(), max_size=40), st.data(), st.integers(0, 3))
def test_rows_are_held_out_once_and_equally(rows, data, seed):
    number = data.draw(st.integers(0, len(rows)))
    rest, held = held_out(rows, number, seed)
    assert len(held) == number
    assert sorted([*rest, *held]) == sorted(rows)
    assert (rest, held) == held_out(rows, number, seed)


def made(generator: random.Random, number: int) -> list[dict[str, object]]:
    found: list[dict[str, object]] = []
    for _ in range(number):
        size, kind = generator.random(), generator.choice("xyz")
        found.append({"size": size, "kind": kind, "price": "high" if size + 0.4 * (kind == "x") > 0.6 else "low"})
    return found


def test_every_form_of_the_model_is_judged_by_the_test_rows():
    pytest.importorskip("torch")
    generator = random.Random(0)
    rows = {name: made(generator, number) for name, number in (("train", 300), ("validation", 60), ("test", 90))}
    project = {
        "task": "tabular-classification",
        "data": {"columns": {"label": "price"}},
        "model": {"base": "tabular-mlp", "hidden": [8]},
        "tune": QUICK,
    }
    judged = []

    def count(predictions, references):
        judged.append(len(references))
        return float((predictions.values == references).mean())

    found = measure(project, rows, metrics=("accuracy",), seeds=(0, 1), own={"share": count})
    accuracy, share = found["accuracy"], found["share"]
    # Before export, the float graph and the int8 one, of both seeds.
    assert judged == [90] * 6
    assert len(accuracy.tuned) == len(accuracy.onnx) == len(accuracy.int8) == 2
    assert accuracy.tuned == pytest.approx(share.tuned)
    assert accuracy.onnx == pytest.approx(accuracy.tuned)
    assert min(accuracy.tuned) > 0.5
    assert accuracy.baseline is not None
    assert share.baseline is None
    assert accuracy.megabytes > 0
    assert accuracy.int8_megabytes is not None
    assert accuracy.higher_is_better


def test_no_content_is_in_two_parts():
    parts = {"train": ["a", "b", " B ", "c"], "validation": ["c", "d"], "test": ["b", "D", "d"]}
    rows = {name: [{"text": text} for text in texts] for name, texts in parts.items()}
    found = apart(rows, "text")
    assert list(found) == ["train", "validation", "test"]
    assert {name: [row["text"] for row in part] for name, part in found.items()} == {
        "train": ["a"],
        "validation": ["c"],
        "test": ["b", "D", "d"],
    }
