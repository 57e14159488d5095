"""A source in, a text out: what is read once, what is scored, and what a request may ask for."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from tests.unit.serving.generating.copying import ROWS, STOP, SURE, make_texts, write_copier

from tuneloop.api import ABSENT, SCORED, TARGET_IDS, ArtifactError
from tuneloop.serving.generating.graph import DecoderGraph
from tuneloop.serving.generating.options import GenerationOptions
from tuneloop.serving.generating.predictor import open_predictor
from tuneloop.serving.generating.source import SourcePredictor
from tuneloop.tasks import TextClassification, Translation


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("copier")
    write_copier(made, make_texts().tokenizer.get_vocab_size())
    return made


def opened(folder, **target) -> SourcePredictor:
    found = open_predictor(folder / "model.onnx", Translation(), make_texts(**target))
    assert isinstance(found, SourcePredictor)
    return found


@pytest.mark.parametrize("asked", [{}, {"beams": 3}, {"temperature": 0.05, "seed": 4}])
def test_the_text_that_was_read_is_written(folder, asked):
    predictor = opened(folder)
    for row in predictor.sources.requests(ROWS):
        one = predictor.begin(row, GenerationOptions(**asked)).run()
        assert one.pieces.text == row["en"]
        assert one.finish_reason == "stop"
        assert one.tokens == predictor.sources.source(row)["input_ids"][0].tolist()
        assert "cache" not in vars(one), "what was read is let go with the end"


def test_answers_tell_the_tokens_of_both_sides(folder):
    predictor = opened(folder)
    found = predictor.predict(predictor.sources.requests(ROWS))
    assert [answer["translation"] for answer in found.answers] == [row["en"] for row in ROWS]
    lengths = [len(predictor.sources.source(row)["input_ids"][0]) for row in ROWS]
    assert [answer["prompt_tokens"] for answer in found.answers] == lengths
    assert [answer["completion_tokens"] for answer in found.answers] == lengths
    assert [group.length for group in found.encoded] == lengths
    assert all(0.5 < answer["confidence"] < 1 for answer in found.answers)


def test_it_ends_after_the_most_tokens_and_at_stop_texts(folder):
    predictor = opened(folder)
    (row,) = predictor.sources.requests(ROWS[:1])
    one = predictor.begin(row, GenerationOptions(max_tokens=2)).run()
    assert (len(one.tokens), one.finish_reason) == (2, "length")
    assert predictor.begin(row, GenerationOptions(stop=("cat",))).run().pieces.text == "the "
    assert opened(folder, max_length=4).begin(row, GenerationOptions(max_tokens=50)).most == 3


def test_forbidden_tokens_are_never_written_or_not_first(folder):
    plain = opened(folder)
    (row,) = plain.sources.requests(ROWS[1:2])
    right = plain.begin(row).run().tokens
    for asked in (GenerationOptions(), GenerationOptions(beams=2), GenerationOptions(temperature=2.0, seed=3)):
        never = opened(folder, forbidden_ids=[right[0]]).begin(row, asked).run()
        assert right[0] not in never.tokens
        first = opened(folder, forbidden_first_ids=[right[0], right[1]]).begin(row, asked).run()
        assert first.tokens[0] not in right[:2]
    assert opened(folder, forbidden_first_ids=[right[0]]).begin(row).run().tokens[1:] == right[1:]


def test_right_tokens_are_scored_given_the_source(folder):
    predictor = opened(folder)
    rows = predictor.preprocessor.check(ROWS)
    sizes = predictor.graph.vocabulary
    right, wrong = SURE - np.log(np.exp(SURE) + sizes - 1), -np.log(np.exp(SURE) + sizes - 1)
    for group in predictor.preprocessor.encode(rows):
        found = predictor.run(group.inputs)["logits"][..., 0]
        targets, scored = group.inputs[TARGET_IDS], group.inputs[SCORED]
        assert (found[scored == 0] == ABSENT).all()
        for row, tokens, given in zip(group.inputs["input_ids"], targets, found, strict=True):
            place = np.minimum(np.arange(len(tokens) - 1), len(row) - 1)
            equal = row[place] == tokens[1:]
            np.testing.assert_allclose(given[1:], np.where(equal, right, wrong), rtol=1e-5)


def test_several_sources_are_scored_in_one_call_as_alone(folder):
    predictor = opened(folder)
    (group,) = predictor.preprocessor.encode(predictor.preprocessor.check([ROWS[0], ROWS[0]]))
    both = {name: array.copy() for name, array in group.inputs.items()}
    both["input_ids"][1, 0] = STOP
    together = predictor.run(both)["logits"]
    for row in range(2):
        alone = predictor.run({name: array[row : row + 1] for name, array in both.items()})["logits"]
        np.testing.assert_array_equal(together[row : row + 1], alone)


def test_a_preprocessor_without_a_source_is_refused(folder, tmp_path):
    from tests.unit.serving.generating.toy import make_preprocessor

    with pytest.raises(ArtifactError, match="needs a preprocessor with a source, such as 'text-to-text', not 'prompt'"):
        open_predictor(folder / "model.onnx", Translation(), make_preprocessor())
    alone = tmp_path / "alone"
    alone.mkdir()
    shutil.copy(folder / "model.onnx", alone)
    with pytest.raises(ArtifactError, match="needs preprocessor 'prompt', not 'text-to-text'"):
        open_predictor(alone / "model.onnx", Translation(), make_texts())
    assert TextClassification(["a"]).loss != "likelihood"
    with pytest.raises(ArtifactError, match="no decoder with a cache"):
        DecoderGraph(opened(folder).encoder._session)
