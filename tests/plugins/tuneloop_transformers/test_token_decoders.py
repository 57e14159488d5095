"""Models that see nothing behind a token, such as GPT-2 and Llama, tag words at their last token."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from tests.served import champion, served

from tuneloop.api import ABSENT, Columns, PluginError
from tuneloop.api.testing import BaseModelContract
from tuneloop.preprocessing import WordsPreprocessor
from tuneloop.tasks import TokenClassification
from tuneloop_transformers import TransformersTokens
from tuneloop_transformers.checkpoint import find_checkpoint
from tuneloop_transformers.word_options import needs_space, sees_only_left, word_options

STORIES = Path(__file__).parents[3].parent / "shared" / "models" / "stories260K"
COLUMNS = Columns({"tokens": "tokens"}, target="tags")
STEMS, ENDINGS = ("sun", "moon", "rain", "wind"), ("day", "night")
TAGS = {"day": "B-light", "night": "B-dark"}
ROWS = (
    {"tokens": ["sunday", "rain"], "tags": ["B-light", "O"]},
    {"tokens": ["moonnight"], "tags": ["B-dark"]},
    {"tokens": ["windday", "sun", "moon"], "tags": ["B-light", "O", "O"]},
    {"tokens": ["rain", "windnight"] * 12, "tags": ["O", "B-dark"] * 12},
)
PROJECT = """name: words
task: token-classification
data: {source: jsonl, path: rows.jsonl, columns: {tokens: tokens, label: tags},
  split: {validation: 0.2, test: 0.2, golden: 0.2}}
model: {base: transformers-tokens, checkpoint: gpt, max_length: 16, overlap: 4}
tune: {strategy: full, epochs: 6, learning_rate: 5.0e-3, head_learning_rate: 1.0e-2, batch_size: 8}
gate: {champion: {metric: entity_f1, margin: 0.1}}
evaluate: {metrics: [entity_f1]}
export: {format: onnx, quantize: {mode: int8-dynamic, max_loss: 0.3}}
"""


def byte_pairs(split: bool) -> Any:
    """A byte-level tokenizer in whose words stems and endings are tokens; `split` as Llama 3 and Qwen have it."""
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers, trainers

    plain = Tokenizer(models.BPE())
    plain.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    if split:
        parts = pre_tokenizers.Split(Regex(r" ?\p{L}+| ?[^\s\p{L}]+|\s+"), behavior="isolated")
        plain.pre_tokenizer = pre_tokenizers.Sequence(
            [parts, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
        )
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=300, initial_alphabet=alphabet, special_tokens=["<|end|>"], show_progress=False
    )
    plain.train_from_iterator([" ".join((*STEMS, *ENDINGS)), f" {' '.join(STEMS)}"] * 4, trainer)
    return plain


@pytest.fixture(scope="session")
def gpt(tmp_path_factory):
    """A tiny GPT-2, as its decoder alone is saved."""
    torch = pytest.importorskip("torch")
    from transformers import GPT2Config, GPT2Model, PreTrainedTokenizerFast

    folder = tmp_path_factory.mktemp("decoders") / "gpt"
    plain = byte_pairs(split=False)
    PreTrainedTokenizerFast(
        tokenizer_object=plain, eos_token="<|end|>", unk_token="<|end|>", model_max_length=32
    ).save_pretrained(folder)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        sizes = {"n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": 32, "vocab_size": plain.get_vocab_size()}
        GPT2Model(GPT2Config(**sizes, bos_token_id=0, eos_token_id=0)).save_pretrained(folder)
    return folder


class TestDecoders(BaseModelContract):
    plugin = TransformersTokens
    options: ClassVar[Any] = {"checkpoint": "models/gpt", "max_length": 16, "overlap": 4}
    columns = COLUMNS
    rows = ROWS

    @pytest.fixture
    def root(self, gpt: Path, tmp_path: Path) -> Path:
        self.source = gpt
        folder = tmp_path / "project"
        folder.mkdir()
        self.files(folder)
        return folder

    def files(self, root: Path) -> None:
        shutil.copytree(self.source, root / "models" / "gpt", dirs_exist_ok=True)


def made(checkpoint: Path, **options: Any) -> tuple[Any, WordsPreprocessor, TokenClassification]:
    base = TransformersTokens(TransformersTokens.Options(checkpoint=str(checkpoint), **options))
    words = WordsPreprocessor.fit(base.preprocessor(Path()).options, COLUMNS, None)
    task = TokenClassification(("B-dark", "B-light", "O"))
    return base.build(Path(), task, words), words, task


def logits(model: Any, words: WordsPreprocessor, tokens: list[str]) -> np.ndarray:
    """One row a word."""
    import torch

    (group,) = words.encode(words.check([{"tokens": tokens}]))
    with torch.no_grad():
        found = model(**{name: torch.from_numpy(array) for name, array in group.inputs.items()})["logits"].numpy()[0]
    return found[found[:, 0] > ABSENT / 2]


def test_each_kind_of_model_is_asked_at_the_token_that_knows_the_word(gpt, checkpoint):
    causal, both = (word_options(find_checkpoint(Path(), str(folder)), 16) for folder in (gpt, checkpoint))
    assert (causal["mark"], causal["space"]) == ("last", True)
    assert not {"mark", "space"} & set(both)


@pytest.mark.parametrize(
    ("kind", "left"),
    [
        ("gpt2", True), ("gpt_neox", True), ("llama", True), ("qwen3", True), ("bloom", True), ("opt", True),
        ("bert", False), ("roberta", False), ("modernbert", False), ("deberta-v2", False), ("t5", False),
    ],
)  # fmt: skip
def test_what_a_model_sees_is_read_from_its_configuration(kind, left):
    from transformers import AutoConfig

    assert sees_only_left(AutoConfig.for_model(kind)) is left
    if kind == "bert":
        assert sees_only_left(AutoConfig.for_model(kind, is_decoder=True))


@pytest.mark.parametrize("split", [False, True])
def test_words_of_a_list_are_read_as_in_running_text(split):
    plain = byte_pairs(split)
    assert needs_space(plain.to_str())
    options = {"tokenizer": plain.to_str(), "mark": "last", "space": True}
    words = WordsPreprocessor.fit(options, COLUMNS, None)
    (group,) = words.encode(words.check([{"tokens": ["sunday", "rain", "moonnight"]}]))
    assert group.inputs["input_ids"][0, 0].tolist() == plain.encode(" sunday rain moonnight").ids


def test_a_wordpiece_tokenizer_needs_no_space(checkpoint):
    assert not needs_space((checkpoint / "tokenizer.json").read_text())


def test_the_last_token_of_a_word_is_marked_where_most_stands_before_it(gpt):
    _, words, _ = made(gpt, max_length=16, overlap=4)
    (group,) = words.encode(words.check([{"tokens": ROWS[3]["tokens"]}]))
    ids, marks = group.inputs["input_ids"][0], group.inputs["last"][0]
    assert len(ids) > 1
    assert marks.sum() == 24
    # What the second window shares with the first is read in the first.
    assert not marks[1][:4].any()
    night = byte_pairs(split=False).encode(" windnight").ids[-1]
    assert (ids[marks == 1][1::2] == night).all()


def test_a_word_is_told_by_its_end_and_not_by_what_follows(gpt):
    model, words, _ = made(gpt)
    day, night = (logits(model, words, ["rain", f"sun{ending}", "wind"]) for ending in ENDINGS)
    np.testing.assert_allclose(day[0], night[0], rtol=1e-5, atol=1e-6)
    assert np.abs(day[1] - night[1]).max() > 1e-4, "a word's ending does not reach its tag"


def test_a_tokenizer_that_knows_no_words_is_refused_with_what_to_do(gpt, tmp_path):
    folder = tmp_path / "slow"
    shutil.copytree(gpt, folder)
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    (folder / "tokenizer_config.json").write_text(json.dumps(settings | {"tokenizer_class": "ByT5Tokenizer"}))
    with pytest.raises(PluginError, match=r"ByT5Tokenizer has no JSON form .* take a checkpoint with a fast tokenizer"):
        made(folder)


@pytest.mark.slow
@pytest.mark.skipif(not STORIES.is_dir(), reason="needs shared/models/stories260K")
def test_the_graph_of_a_real_llama_says_what_torch_says(tmp_path):
    import onnxruntime
    import torch
    from tokenizers import Tokenizer

    from tuneloop.api import ExportSpec, Tensor
    from tuneloop_onnx import Onnx

    model, words, task = made(STORIES, max_length=32, overlap=8)
    assert {tensor.name for tensor in words.tensors} == {"input_ids", "attention_mask", "last"}
    # Words of a list are read as in running text.
    (group,) = words.encode(words.check([{"tokens": ["Once", "upon", "a", "time"]}]))
    running = Tokenizer.from_file(str(STORIES / "tokenizer.json")).encode("Once upon a time")
    assert group.inputs["input_ids"][0, 0].tolist() == running.ids

    def inputs(rows: int, count: int) -> dict[str, np.ndarray]:
        (group,) = words.encode(words.check([{"tokens": ["Once", "upon", "a", "time"] * count}] * rows))
        return group.inputs

    outputs = (
        Tensor("logits", "float32", ("batch", "places", len(task.output_names))),
        Tensor("embedding", "float32", ("batch", 64)),
    )
    path = Onnx().export(model, ExportSpec(words.tensors, outputs, inputs(3, 10)), tmp_path)
    session = onnxruntime.InferenceSession(path)
    for rows, count in ((1, 1), (2, 6), (5, 40)):
        given = inputs(rows, count)
        with torch.no_grad():
            right = model(**{name: torch.from_numpy(array) for name, array in given.items()})
        for name, found in zip(("logits", "embedding"), session.run(["logits", "embedding"], given), strict=True):
            np.testing.assert_allclose(found, right[name].numpy(), rtol=1e-3, atol=1e-4)


@pytest.mark.slow
def test_a_decoder_learns_tags_that_stand_at_the_ends_of_words(tmp_path, gpt):
    pytest.importorskip("dbos")
    shutil.copytree(gpt, tmp_path / "gpt")
    draw = random.Random(6)
    rows = []
    for number in range(240):
        # Some rows are read in several windows, beside rows that fit into one.
        words = [
            draw.choice(STEMS) + draw.choice((*ENDINGS, "")) for _ in range(draw.randint(1, 7 if number % 6 else 24))
        ]
        rows.append({"tokens": words, "tags": [next((TAGS[e] for e in ENDINGS if w.endswith(e)), "O") for w in words]})
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (tmp_path / "tuneloop.yaml").write_text(PROJECT)
    project, result, loaded = champion(tmp_path)
    assert loaded.artifact.manifest.metrics["entity_f1"] > 0.9
    asked = [{"tokens": "sunday rain moonnight"}, {"tokens": ["windnight", "sun"] * 12}]
    first, second = loaded.predictor.predict(asked).answers
    assert first["tags"] == ["B-light", "O", "B-dark"]
    assert second["tags"] == ["B-dark", "O"] * 12
    assert [entity["text"] for entity in first["entities"]] == ["sunday", "moonnight"]
    with served(project, result) as client:
        sent = client.post("/predict", json={"rows": asked}).json()["predictions"]
        assert [(answer["tags"], answer["entities"]) for answer in sent] == [
            (answer["tags"], answer["entities"]) for answer in (first, second)
        ]
        refused = client.post("/predict", json={"rows": [{"tokens": []}]})
        assert (refused.status_code, refused.json()["field"]) == (422, "tokens")
