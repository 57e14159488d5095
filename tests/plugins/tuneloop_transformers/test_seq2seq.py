"""`seq2seq` and `seq2seq-small` pass the contract of base models; their two graphs write what transformers does."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from datasets import Dataset

from tuneloop.api import ABSENT, SCORED, TARGET_IDS, Columns, ExportSpec, PluginError
from tuneloop.api.testing import BaseModelContract
from tuneloop.pipeline.data.encoded import padded
from tuneloop.preprocessing import TextToTextPreprocessor
from tuneloop.serving.generating.options import GenerationOptions
from tuneloop.serving.generating.predictor import open_predictor
from tuneloop.serving.generating.source import SourcePredictor
from tuneloop.tasks import Translation
from tuneloop_onnx import Onnx
from tuneloop_onnx.exporter import INT8_DYNAMIC
from tuneloop_transformers import Seq2Seq, SmallSeq2Seq

WORDS = ["<pad>", "<s>", "</s>", "<unk>", "once", "upon", "a", "time", "cat", "dog", "the", "ran"]
ROWS = (
    {"text": "once upon a time the cat ran", "label": "the cat"},
    {"text": "the dog ran", "label": "a dog ran once"},
    {"text": "a", "label": "the"},
)
COLUMNS = Columns({"text": "text", "completion": "label"}, target="label")


def config(kind: str) -> Any:
    import transformers

    ids = {"vocab_size": len(WORDS), "pad_token_id": 0, "eos_token_id": 2, "decoder_start_token_id": 0, "d_model": 16}
    halves = {
        f"{half}_{part}": value
        for half in ("encoder", "decoder")
        for part, value in (("layers", 2), ("attention_heads", 2), ("ffn_dim", 32))
    }
    plain = {**ids, **halves, "max_position_embeddings": 64, "forced_eos_token_id": None}
    return {
        "t5": lambda: transformers.T5Config(d_kv=8, d_ff=32, num_layers=2, num_heads=2, **ids),
        "marian": lambda: transformers.MarianConfig(**plain),
        "bart": lambda: transformers.BartConfig(**plain),
    }[kind]()


def write_checkpoint(folder: Path, kind: str) -> Path:
    torch = pytest.importorskip("torch")
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace
    from transformers import AutoModelForSeq2SeqLM, PreTrainedTokenizerFast

    plain = Tokenizer(WordLevel({word: place for place, word in enumerate(WORDS)}, unk_token="<unk>"))
    plain.pre_tokenizer = Whitespace()
    PreTrainedTokenizerFast(
        tokenizer_object=plain, unk_token="<unk>", eos_token="</s>", pad_token="<pad>", model_max_length=48
    ).save_pretrained(folder)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5 if kind == "bart" else 4)
        model = AutoModelForSeq2SeqLM.from_config(config(kind))
        # At their start weights are so small that all tokens are alike.
        for name, parameter in model.named_parameters():
            if parameter.requires_grad:
                torch.nn.init.normal_(parameter, std=0.7 if "embed" in name or "shared" in name else 0.4)
    if kind == "bart":
        model.generation_config.forced_bos_token_id = 1
        # Texts end early: whether the forced token counts in their length turns which beam wins.
        model.final_logits_bias[0, 2] = 2.0
    model.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def t5(tmp_path_factory):
    return write_checkpoint(tmp_path_factory.mktemp("seq2seq") / "t5", "t5")


class TestSeq2Seq(BaseModelContract):
    plugin = Seq2Seq
    options: ClassVar[Any] = {"checkpoint": "models/tiny", "max_length": 16, "max_target_length": 12}
    columns = COLUMNS
    rows = ROWS

    @pytest.fixture
    def root(self, t5: Path, tmp_path: Path) -> Path:
        self.source = t5
        folder = tmp_path / "project"
        folder.mkdir()
        self.files(folder)
        return folder

    def files(self, root: Path) -> None:
        shutil.copytree(self.source, root / "models" / "tiny", dirs_exist_ok=True)


class TestSmallSeq2Seq(BaseModelContract):
    plugin = SmallSeq2Seq
    options: ClassVar[Any] = {"vocabulary": 40, "width": 16, "layers": 1, "heads": 2, "max_length": 16}
    columns = COLUMNS
    rows = ROWS


def exported(base: Any, folder: Path) -> tuple[Any, SourcePredictor]:
    """The base model, and the predictor of its graphs."""
    choice = base.preprocessor(folder)
    texts = TextToTextPreprocessor.fit(choice.options, COLUMNS, Dataset.from_list(list(ROWS)))
    model = base.build(folder, Translation(), texts)
    example = padded(texts.encode(texts.check(ROWS)), texts.tensors, range(len(ROWS)))
    path = Onnx(Onnx.Options()).export(model, ExportSpec(texts.tensors, (), example), folder)
    predictor = open_predictor(path, Translation(), texts)
    assert isinstance(predictor, SourcePredictor)
    return model, predictor


def generated(model: Any, inputs: Any, start: list[int], width: int, most: int, penalty: float) -> list[int]:
    """The tokens of transformers' own search, without the padding behind the end."""
    import torch

    forced = {"forced_bos_token_id": start[1]} if len(start) > 1 else {}
    found = model.backbone.generate(
        **{name: torch.from_numpy(array) for name, array in inputs.items()},
        **forced,
        do_sample=False,
        num_beams=width,
        length_penalty=penalty,
        early_stopping=False,
        max_new_tokens=most,
        max_length=None,
    )[0].tolist()
    assert found[: len(start)] == start
    said = found[len(start) :]
    return said[: said.index(2) + 1] if 2 in said else said


@pytest.mark.parametrize("kind", ["t5", "marian", "bart"])
def test_the_graphs_write_what_the_model_writes(tmp_path, kind):
    import torch

    folder = write_checkpoint(tmp_path / "tiny", kind)
    model, predictor = exported(Seq2Seq(Seq2Seq.Options(checkpoint=str(folder), max_target_length=24)), tmp_path)
    rows = predictor.preprocessor.check(ROWS)
    start = predictor.sources.start
    assert start == ([0, 1] if kind == "bart" else [0])
    for group in predictor.preprocessor.encode(rows):
        found = predictor.run(group.inputs)["logits"]
        with torch.no_grad():
            inputs = {name: torch.from_numpy(array) for name, array in group.inputs.items()}
            expected = model(**inputs)["logits"].numpy()
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)
        assert (found[:, : len(start)] == ABSENT).all()
    for row in predictor.sources.requests(ROWS):
        source = predictor.sources.source(row)
        one = predictor.begin(row, GenerationOptions(max_tokens=10)).run()
        assert [one.tokens] == model.greedy(source, start, 10, (2,))
        # What is forced counts among the tokens that transformers generates.
        forced = len(start) - 1
        assert one.tokens == generated(model, source, start, 1, 10 + forced, 1.0)
        for width, penalty in ((2, 1.0), (3, 0.5), (4, 0.5)):
            asked = GenerationOptions(beams=width, length_penalty=penalty, max_tokens=8)
            one = predictor.begin(row, asked).run()
            assert one.tokens == generated(model, source, start, width, 8 + forced, penalty)
    # A part of a source that is no part of the text changes nothing.
    (short,) = predictor.preprocessor.encode(rows[1:2])
    longer = {name: np.pad(array, ((0, 0), (0, 3))) for name, array in short.inputs.items() if name != TARGET_IDS}
    longer |= {name: short.inputs[name] for name in (TARGET_IDS, SCORED)}
    np.testing.assert_allclose(predictor.run(longer)["logits"], predictor.run(short.inputs)["logits"], atol=1e-4)


def test_a_model_of_its_own_vocabulary_is_exported_and_quantised_alike_each_time(tmp_path):
    base = SmallSeq2Seq(SmallSeq2Seq.Options(vocabulary=40, width=16, layers=1, heads=2, max_target_length=12))
    folders = [tmp_path / "a", tmp_path / "a much longer name"]
    for folder in folders:
        folder.mkdir()
    (model, predictor), _ = (exported(base, folder) for folder in folders)
    texts = predictor.sources
    for name in ("model.onnx", "encoder.onnx"):
        assert len({(folder / name).read_bytes() for folder in folders}) == 1, name
    for row in texts.requests(ROWS):
        one = predictor.begin(row, GenerationOptions(max_tokens=6)).run()
        rules = {"forbidden": (0, 1, 3)}
        assert [one.tokens] == model.greedy(texts.source(row), [1], 6, (2,), **rules)
        assert not set(one.tokens) & {0, 1, 3}
        drawn = predictor.begin(row, GenerationOptions(max_tokens=6, temperature=3.0, seed=1)).run()
        assert not set(drawn.tokens) & {0, 1, 3}
    small = tmp_path / "small" / "model.onnx"
    small.parent.mkdir()
    Onnx(Onnx.Options()).quantize(folders[0] / "model.onnx", INT8_DYNAMIC, small)
    for name in ("model.onnx", "encoder.onnx"):
        assert (small.with_name(name)).stat().st_size < (folders[0] / name).stat().st_size
    answers = open_predictor(small, Translation(), texts).predict(texts.requests(ROWS)).answers
    assert {answer["finish_reason"] for answer in answers} <= {"stop", "length"}


def test_layers_are_listed_from_the_last_that_writes_to_the_first_that_reads(t5, tmp_path):
    model = Seq2Seq(Seq2Seq.Options(checkpoint=str(t5))).build(tmp_path, Translation(), None)
    groups = model.layer_groups()
    halves = [next(part for part in ("decoder", "encoder") if f".{part}." in group[0]) for group in groups[:4]]
    assert halves == ["decoder", "decoder", "encoder", "encoder"]
    assert groups[0][0].startswith("backbone.decoder.block.1.")
    assert any(name.endswith("shared.weight") for name in groups[-1])


def test_what_cannot_be_done_says_so(t5, tmp_path):
    model = Seq2Seq(Seq2Seq.Options(checkpoint=str(t5))).build(tmp_path, Translation(), None)
    with pytest.raises(PluginError, match=r"choose tune.strategy: full"):
        model.features()
    with pytest.raises(ValueError, match="width 10 is not divided by 4 heads"):
        SmallSeq2Seq.Options(width=10, heads=4)
    endless = tmp_path / "endless"
    shutil.copytree(t5, endless)

    for name in ("config.json", "generation_config.json"):
        settings = json.loads((endless / name).read_text())
        settings.pop("decoder_start_token_id", None)
        (endless / name).write_text(json.dumps(settings))
    with pytest.raises(PluginError, match=r"begin with \(decoder_start_token_id\)"):
        Seq2Seq(Seq2Seq.Options(checkpoint=str(endless))).preprocessor(tmp_path)


def test_weights_that_have_two_names_are_written_once(t5, tmp_path):
    from safetensors.numpy import load_file

    base = Seq2Seq(Seq2Seq.Options(checkpoint=str(t5)))
    model = base.build(tmp_path, Translation(), None)
    folder = tmp_path / "saved"
    folder.mkdir()
    base.save(model, Translation(), folder)
    names = set(load_file(folder / "model.safetensors"))
    assert {name for name in names if name.endswith("embed_tokens.weight")} == set()
    again = base.load(folder, Translation(), None)
    source = {"input_ids": np.array([[4, 5, 6]]), "attention_mask": np.ones((1, 3), np.int64)}
    assert again.greedy(source, [0], 8, (2,)) == model.greedy(source, [0], 8, (2,))
