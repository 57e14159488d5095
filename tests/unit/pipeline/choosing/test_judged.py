"""Text models are compared by a probe on their frozen features: none of them is tuned."""

from __future__ import annotations

import json
import random

import numpy as np
import pytest
from tests.unit.pipeline.tuning.pairs import WORDS

from tuneloop.pipeline.choosing import judged
from tuneloop.pipeline.data import check, load, split
from tuneloop.pipeline.runs.cache import perform
from tuneloop.pipeline.runs.step import StepContext
from tuneloop.pipeline.searching.variant import variant

pytest.importorskip("torch")

YAML = """\
name: desk
task: text-classification
data: {source: jsonl, path: rows.jsonl, columns: {text: text, label: kind},
  split: {validation: 0.2, test: 0.15, golden: 0.15}}
model: {candidates: [{base: transformers, checkpoint: reads}, {base: transformers, checkpoint: blind}]}
tune: {strategy: full, epochs: 50}
evaluate: {metrics: [accuracy]}
"""


def write_encoder(folder, words):
    """A checkpoint of a random encoder that knows these words, and no others."""
    import torch
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    known = ["[PAD]", "[UNK]", *words]
    plain = Tokenizer(WordLevel({word: place for place, word in enumerate(known)}, unk_token="[UNK]"))
    plain.pre_tokenizer = Whitespace()
    PreTrainedTokenizerFast(
        tokenizer_object=plain, unk_token="[UNK]", pad_token="[PAD]", model_max_length=16
    ).save_pretrained(folder)
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        BertModel(BertConfig(vocab_size=len(known), max_position_embeddings=24, **sizes)).save_pretrained(folder)


@pytest.fixture
def context(tmp_path, scope_of):
    """Of a step that compares, on sentences of four words whose kind is their language."""
    draw, folder = random.Random(3), tmp_path / "desk"
    folder.mkdir()
    with (folder / "rows.jsonl").open("w") as stream:
        for _ in range(240):
            kind = draw.choice(["english", "german"])
            words = draw.choices(list(WORDS if kind == "english" else WORDS.values()), k=4)
            stream.write(json.dumps({"text": " ".join(words), "kind": kind}) + "\n")
    (folder / "tuneloop.yaml").write_text(YAML)
    write_encoder(folder / "reads", [*WORDS, *WORDS.values()])
    write_encoder(folder / "blind", ["tree", "house"])
    scope, done = scope_of(folder), {}
    for step in (load.STEP, check.STEP, split.STEP):
        done[step.name] = perform(step, scope, done)
    return StepContext(scope, tmp_path / "compared", done)


def test_a_model_that_reads_the_words_is_told_from_one_that_does_not_by_features_alone(context):
    models = context.project.candidates.models
    how = judged.judging(context, models)
    assert how == judged.Judging("accuracy", True, judged.PROBED, judged.ROWS, 0)
    here = judged.judging_split(context, how.rows)
    found, constant = {}, {}
    for model in models:
        name = model["checkpoint"]
        scope = variant(context.scope, {"model": dict(model)})
        mine = judged.prepared(context, scope, context.folder / name, here)
        found[name] = judged.score(mine, how)
        assert not (context.folder / name / "fit").exists(), "not one epoch of the fifty"
        constant[name] = mine.done["baseline"].output["constant"]["accuracy"]
    assert found["reads"]["accuracy"] > 0.9
    assert found["blind"]["accuracy"] == pytest.approx(constant["blind"], abs=0.15)
    assert np.isfinite(list(found["blind"].values())).all()
