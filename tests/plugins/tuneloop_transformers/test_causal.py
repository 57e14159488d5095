"""`causal-lm` passes the contract of base models; its ONNX graph generates what transformers does, token by token."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from tests.served import assessment, champion, served

from tuneloop.api import ABSENT, Columns, PluginError
from tuneloop.api.testing import BaseModelContract
from tuneloop.preprocessing import PromptPreprocessor
from tuneloop.serving.generating.options import GenerationOptions
from tuneloop.serving.generating.predictor import GeneratingPredictor
from tuneloop.tasks import TextGeneration
from tuneloop_onnx import Onnx
from tuneloop_transformers import CausalLM

STORIES = Path(__file__).parents[3].parent / "shared" / "models" / "stories260K"
WORDS = ["<unk>", "<s>", "</s>", "once", "upon", "a", "time", "cat", "dog", "the", "ran"]
ROWS = (
    {"text": "once upon a time the cat ran", "label": "x"},
    {"text": "the dog ran", "label": "x"},
    {"text": "a", "label": "x"},
)
COLUMNS = Columns({"text": "text"}, target="text")


def config(kind: str) -> Any:
    import transformers

    sizes = {"vocab_size": len(WORDS), "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 2}
    llama = {
        "hidden_size": 16,
        "intermediate_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 64,
    }
    return {
        "gpt2": lambda: transformers.GPT2Config(n_embd=16, n_layer=2, n_head=2, n_positions=64, **sizes),
        "llama": lambda: transformers.LlamaConfig(tie_word_embeddings=False, **llama, **sizes),
        "qwen2": lambda: transformers.Qwen2Config(tie_word_embeddings=True, **llama, **sizes),
    }[kind]()


def write_checkpoint(folder: Path, kind: str) -> Path:
    torch = pytest.importorskip("torch")
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace
    from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast

    plain = Tokenizer(WordLevel({word: place for place, word in enumerate(WORDS)}, unk_token="<unk>"))
    plain.pre_tokenizer = Whitespace()
    PreTrainedTokenizerFast(
        tokenizer_object=plain, unk_token="<unk>", bos_token="<s>", eos_token="</s>", model_max_length=48
    ).save_pretrained(folder)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(4)
        model = AutoModelForCausalLM.from_config(config(kind))
        # At their start weights are so small that all tokens are alike.
        for parameter in model.parameters():
            torch.nn.init.normal_(parameter, std=0.5)
    model.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def llama(tmp_path_factory):
    return write_checkpoint(tmp_path_factory.mktemp("causal") / "llama", "llama")


class TestCausalLM(BaseModelContract):
    plugin = CausalLM
    options: ClassVar[Any] = {"checkpoint": "models/tiny", "max_length": 16}
    columns = COLUMNS
    rows = ROWS

    @pytest.fixture
    def root(self, llama: Path, tmp_path: Path) -> Path:
        self.source = llama
        folder = tmp_path / "project"
        folder.mkdir()
        self.files(folder)
        return folder

    def files(self, root: Path) -> None:
        shutil.copytree(self.source, root / "models" / "tiny", dirs_exist_ok=True)


def exported(checkpoint: Path, folder: Path) -> tuple[Any, GeneratingPredictor]:
    """The base model, and the predictor of its graph."""
    base = CausalLM(CausalLM.Options(checkpoint=str(checkpoint)))
    prompts = PromptPreprocessor.fit(base.preprocessor(folder).options, COLUMNS, None)
    model = base.build(folder, TextGeneration(), prompts)
    path = Onnx(Onnx.Options()).export(model, None, folder)
    return model, GeneratingPredictor(path, TextGeneration(), prompts)


def beams(model: Any, prompt: list[int], width: int, most: int, penalty: float) -> list[int]:
    """The tokens of transformers' beam search, without the padding behind the end."""
    import torch

    given = torch.tensor([prompt])
    found = model.backbone.generate(
        input_ids=given,
        attention_mask=torch.ones_like(given),
        do_sample=False,
        num_beams=width,
        length_penalty=penalty,
        max_new_tokens=most,
        max_length=None,
        eos_token_id=2,
        pad_token_id=2,
    )[0, len(prompt) :].tolist()
    return found[: found.index(2) + 1] if 2 in found else found


@pytest.mark.parametrize("kind", ["gpt2", "qwen2"])
def test_the_graph_says_what_the_model_says(tmp_path, kind):
    import torch

    model, predictor = exported(write_checkpoint(tmp_path / "tiny", kind), tmp_path)
    rows = predictor.preprocessor.check([{"text": row["text"]} for row in ROWS] * 2)
    for group in predictor.preprocessor.encode(rows):
        with torch.no_grad():
            expected = model(**{name: torch.from_numpy(array) for name, array in group.inputs.items()})["logits"]
        np.testing.assert_allclose(predictor.run(group.inputs)["logits"], expected.numpy(), rtol=1e-4, atol=1e-4)
        assert (expected[:, 0] == ABSENT).all()
    for row in rows[:3]:
        one = predictor.begin(row, GenerationOptions(max_tokens=24)).run()
        assert one.tokens == model.greedy(one.prompt, 24, (2,))
        for width, penalty in ((2, 1.0), (3, 0.5)):
            one = predictor.begin(row, GenerationOptions(beams=width, length_penalty=penalty, max_tokens=12)).run()
            assert one.tokens == beams(model, one.prompt, width, 12, penalty)


@pytest.mark.skipif(not STORIES.is_dir(), reason="the folder with the model stories260K is not there")
def test_stories_are_told_as_torch_tells_them(tmp_path):
    model, predictor = exported(STORIES, tmp_path)
    for text in ("Once upon a time", "Lily and Tom", "The big dog"):
        one = predictor.begin({"text": text}, GenerationOptions(max_tokens=120)).run()
        assert one.tokens == model.greedy(one.prompt, 120, (2,)), text
        assert predictor.prompts.tokenizer.decode([*one.prompt, *one.tokens]) == text + one.pieces.text
        wide = predictor.begin({"text": text}, GenerationOptions(max_tokens=20, beams=4)).run()
        assert wide.tokens == beams(model, wide.prompt, 4, 20, 1.0), text


def test_tied_weights_are_written_once(tmp_path):
    from safetensors.numpy import load_file

    base = CausalLM(CausalLM.Options(checkpoint=str(write_checkpoint(tmp_path / "tiny", "qwen2"))))
    model = base.build(tmp_path, TextGeneration(), None)
    folder = tmp_path / "saved"
    folder.mkdir()
    base.save(model, TextGeneration(), folder)
    assert "backbone.lm_head.weight" not in load_file(folder / "model.safetensors")
    again = base.load(folder, TextGeneration(), None)
    assert again.head.weight is again.backbone.get_input_embeddings().weight
    assert again.greedy([3, 4], 8, (2,)) == model.greedy([3, 4], 8, (2,))


def test_what_cannot_be_done_says_so(llama, tmp_path):
    model = CausalLM(CausalLM.Options(checkpoint=str(llama))).build(tmp_path, TextGeneration(), None)
    with pytest.raises(PluginError, match=r"choose tune.strategy: full"):
        model.features()
    endless = tmp_path / "endless"
    shutil.copytree(llama, endless)
    for name in ("config.json", "generation_config.json", "tokenizer_config.json"):
        settings = json.loads((endless / name).read_text())
        # Left out, the end would be what the architecture has by default.
        (endless / name).write_text(json.dumps({**settings, "eos_token_id": None, "eos_token": None}))
    with pytest.raises(PluginError, match="names no token that ends a text"):
        CausalLM(CausalLM.Options(checkpoint=str(endless))).preprocessor(tmp_path)


PROJECT = """name: tales
task: text-generation
data: {source: jsonl, path: rows.jsonl, columns: {text: ask, label: say}, split: {validation: 0.2, test: 0.2,
  golden: 0.2}}
model: {base: causal-lm, checkpoint: tiny, max_length: 48, max_tokens: 8, separator: " "}
tune: {strategy: full, epochs: 12, learning_rate: 1.0e-2, batch_size: 16}
gate: {require: {perplexity: 1.5}, champion: {metric: perplexity, margin: 0.1}}
export: {format: onnx, quantize: {mode: int8-dynamic, max_loss: 0.5}}
"""


@pytest.mark.slow
def test_a_model_is_tuned_from_data_to_a_version_that_answers(tmp_path, llama):
    from tuneloop.monitoring.reference import REFERENCE_FILE, Reference

    folder = tmp_path / "tales"
    folder.mkdir()
    shutil.copytree(llama, folder / "tiny")
    draw = random.Random(2)
    rows = []
    for _ in range(160):
        # The answer is the last word of the prompt, then that it ran.
        words = draw.choices(["once", "upon", "a", "time", "cat", "dog"], k=4)
        rows.append({"ask": " ".join(words), "say": f"the {words[-1]} ran"})
    (folder / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (folder / "tuneloop.yaml").write_text(PROJECT)
    project, result, loaded = champion(folder)
    manifest = loaded.artifact.manifest
    assert 1 <= manifest.metrics["perplexity"] < 1.5
    assert [column.kind for column in manifest.signature.columns] == ["prompt"]
    answers = loaded.predictor.predict([{"ask": "a cat upon time"}, {"ask": "time a once dog"}]).answers
    assert [answer["text"] for answer in answers] == ["the time ran", "the dog ran"]
    assert {answer["finish_reason"] for answer in answers} == {"stop"}
    labels = {bins.label for bins in Reference.load(loaded.artifact.folder / REFERENCE_FILE).signals}
    assert {"answer_tokens", "confidence", "finish_reason", "length", "token_entropy"} <= labels
    found = assessment(project)
    assert found["error"] == "mean perplexity of a row"
    told = [one["shown"] for one in found["mistakes"]]
    again = loaded.predictor.predict([{"ask": one["ask"]} for one in told]).answers
    assert [one["the model writes"] for one in told] == [answer["text"] for answer in again]
    with served(project, result) as client:
        rows = [{"ask": "a cat upon time"}, {"ask": "time a once dog"}]
        sent = client.post("/predict", json={"rows": rows}).json()["predictions"]
        assert [answer["text"] for answer in sent] == ["the time ran", "the dog ran"]
        asked = {"model": "tales", "prompt": "a cat upon time", "temperature": 0}
        (choice,) = client.post("/v1/completions", json=asked).json()["choices"]
        assert (choice["text"], choice["finish_reason"]) == ("the time ran", "stop")
        stream = client.post("/v1/completions", json={**asked, "stream": True}).text
        parts = [line.removeprefix("data: ") for line in stream.splitlines() if line.startswith("data: {")]
        assert len(parts) > 1
        assert "".join(json.loads(part)["choices"][0]["text"] for part in parts) == "the time ran"
