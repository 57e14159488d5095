"""Base models that write texts are compared after a short fit, or by how probable they find the right texts."""

from __future__ import annotations

import json

import numpy as np
import pytest
from tests.unit.pipeline.tuning.pairs import TALES, YAML, write_decoder, write_pairs

from tuneloop.pipeline.data import check, load, split
from tuneloop.pipeline.runs.cache import perform
from tuneloop.pipeline.searching.variant import variant
from tuneloop.pipeline.tuning import candidates

pytest.importorskip("torch")


def compared(scope):
    done = {}
    for step in (load.STEP, check.STEP, split.STEP):
        done[step.name] = perform(step, scope, done)
    return perform(candidates.STEP, scope, done).output


def test_those_that_read_and_write_are_fitted_a_little_and_then_write(tmp_path, scope_of):
    sizes = [{"base": "seq2seq-small", "vocabulary": 60, "width": width, "layers": 1, "heads": 2, "dropout": 0.0,
              "max_tokens": 8} for width in (8, 64)]  # fmt: skip
    model = next(line for line in YAML.splitlines() if line.startswith("model:"))
    text = YAML.replace(model, f"model: {{candidates: {json.dumps(sizes)}}}").replace("1.0e-3", "2.0e-2")
    scope = scope_of(write_pairs(tmp_path / "desk", rows=240, text=text))
    output = compared(scope)
    small, large = output["lines"]
    assert [line["failure"] for line in output["lines"]] == ["", ""]
    assert (output["metric"], output["maximize"]) == ("chrf", True)
    assert "after one epoch" in output["probe"]
    for line in (small, large):
        assert set(line["metrics"]) == {"chrf", "bleu", "bits_per_byte"}
        assert 0 < line["metrics"]["bits_per_byte"] < 10
        assert line["score"] == line["metrics"]["chrf"] >= 0
        assert 0 < line["cost"]["latency_ms"] < 10_000
    assert large["metrics"]["bits_per_byte"] < small["metrics"]["bits_per_byte"]
    assert output["found"] == {"model": sizes[1]}
    assert variant(scope, output["found"]).project.model.options.width == 64


@pytest.mark.slow
def test_language_models_of_two_tokenizers_are_compared_by_the_bits_of_a_byte(tmp_path, scope_of):
    folder = write_pairs(tmp_path / "tales", text=TALES)
    for name in ("letters", "words"):
        write_decoder(folder / name, letters=name == "letters")
    output = compared(scope_of(folder))
    letters, words = output["lines"]
    assert [line["failure"] for line in output["lines"]] == ["", ""]
    assert (output["metric"], output["maximize"]) == ("bits_per_byte", False)
    # A letter of some twenty is more probable than a word of some ten only where one does not look at their lengths.
    assert words["metrics"]["perplexity"] == pytest.approx(16, rel=0.3)
    assert letters["metrics"]["perplexity"] == pytest.approx(24, rel=0.3)
    assert words["score"] < letters["score"] / 2
    assert output["found"]["model"]["checkpoint"] == "words"
    assert words["cost"]["latency_ms"] < letters["cost"]["latency_ms"], "a text of fewer tokens is written sooner"
    assert "bits_per_byte" in output["table"]


def test_a_request_is_as_many_tokens_as_the_right_answer_has(tmp_path):
    from tuneloop.pipeline.choosing.cost import write_as_many

    asked = []

    class Model:
        def greedy(self, tokens, most, stops):
            asked.append((tokens, most, stops))
            return [7] * most

    request = {"input_ids": np.array([[4, 5, 6, 1, 2]]), "scored": np.array([[0, 0, 1, 1, 1]])}
    assert write_as_many(Model(), request, object()) == [7, 7, 7]
    whole = {"input_ids": np.array([[4, 5]]), "scored": np.array([[1, 1]])}
    write_as_many(Model(), whole, object())
    assert asked == [([4, 5], 3, ()), ([4], 2, ())]
