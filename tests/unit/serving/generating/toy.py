"""A decoder without weights worth the name: what follows depends on the last token and on the sum of all before it."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper, save
from tokenizers import Tokenizer
from tokenizers.decoders import Fuse
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Split

from tuneloop.api import Tensor
from tuneloop.artifact import Artifact, DataUse, Lineage, Manifest, Parity, Part, PluginUse, Signature, Variant, seal
from tuneloop.preprocessing.prompt import PromptPreprocessor, PromptSettings
from tuneloop.serving.generating.predictor import GeneratingPredictor
from tuneloop.serving.versions.examples import write_examples
from tuneloop.tasks.text_generation import TextGeneration

LETTERS = "\n abcdefghijklmnopqrstuvwxyz?<>|"
STOP, UNKNOWN = 0, 1
VOCABULARY = len(LETTERS) + 2
WIDTH = 256
TEMPLATE = """\
{%- for message in messages %}
{%- if message.role not in ("user", "assistant", "system") %}{{ raise_exception("no role " + message.role) }}{% endif %}
<|{{ message.role }}|>{{ message.content }}
{% endfor %}
{%- if add_generation_prompt %}<|assistant|>{% endif %}"""


def weights() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The table `[last, next]` and the direction `[next]` into which the sum pulls; the stop token stays unlikely."""
    draw = np.random.default_rng(5)
    table = draw.normal(size=(VOCABULARY, VOCABULARY)).astype(np.float32) * 2
    pull = draw.normal(size=VOCABULARY).astype(np.float32) * 0.004
    table[:, STOP] -= 6
    table[:, UNKNOWN] -= 20
    return table, pull


def reference(tokens: list[int]) -> NDArray[np.float32]:
    """The logits behind these tokens, `[vocabulary]`."""
    table, pull = weights()
    found: NDArray[np.float32] = table[tokens[-1]] + np.float32(sum(tokens)) * pull
    return found


def write_decoder(path: Path, work: int = 0) -> None:
    """The graph; `work` matrix products a call make it slow, about a third of a millisecond each."""
    table, pull = weights()
    info = helper.make_tensor_value_info
    matrix = info("before", TensorProto.FLOAT, [WIDTH, WIDTH])
    body = helper.make_graph(
        [
            helper.make_node("MatMul", ["before", "one"], ["after"]),
            helper.make_node("Identity", ["going"], ["goes_on"]),
        ],
        "product",
        [info("turn", TensorProto.INT64, []), info("going", TensorProto.BOOL, []), matrix],
        [info("goes_on", TensorProto.BOOL, []), info("after", TensorProto.FLOAT, [WIDTH, WIDTH])],
    )
    constants = {
        "table": table,
        "pull": pull,
        "one": np.eye(WIDTH, dtype=np.float32),
        "true": np.array(True),
        "zero": np.array(0, dtype=np.float32),
        "work": np.array(work, dtype=np.int64),
        "axis": np.array(1, dtype=np.int64),
        "before_length": np.array([1, 3], dtype=np.int64),
        "last": np.array([2], dtype=np.int64),
        "all": np.array([1, 2, 3], dtype=np.int64),
    }
    nodes = [
        helper.make_node("Cast", ["input_ids"], ["numbers"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["numbers", "before_length"], ["new"]),
        helper.make_node("Concat", ["past.0.key", "new"], ["present.0.key"], axis=2),
        helper.make_node("Concat", ["past.0.value", "new"], ["present.0.value"], axis=2),
        helper.make_node("ReduceSum", ["past.0.key", "all"], ["old"], keepdims=0),
        helper.make_node("Unsqueeze", ["old", "axis_list"], ["old_row"]),
        helper.make_node("CumSum", ["numbers", "axis"], ["sums_new"]),
        helper.make_node("Add", ["sums_new", "old_row"], ["sums"]),
        helper.make_node("Unsqueeze", ["sums", "last"], ["sums_last"]),
        helper.make_node("Mul", ["sums_last", "pull"], ["pulled"]),
        helper.make_node("Gather", ["table", "input_ids"], ["found"], axis=0),
        helper.make_node("Loop", ["work", "true", "one"], ["worked"], body=body),
        helper.make_node("ReduceSum", ["worked"], ["worked_sum"], keepdims=0),
        helper.make_node("Mul", ["worked_sum", "zero"], ["nothing"]),
        helper.make_node("Add", ["found", "pulled"], ["both"]),
        helper.make_node("Add", ["both", "nothing"], ["logits"]),
    ]
    constants["axis_list"] = np.array([1], dtype=np.int64)
    cache = ["batch", 1, "past", 1]
    graph = helper.make_graph(
        nodes,
        "toy",
        [
            info("input_ids", TensorProto.INT64, ["batch", "length"]),
            *(info(f"past.0.{kind}", TensorProto.FLOAT, cache) for kind in ("key", "value")),
        ],
        [
            info("logits", TensorProto.FLOAT, ["batch", "length", VOCABULARY]),
            *(info(f"present.0.{kind}", TensorProto.FLOAT, ["batch", 1, "total", 1]) for kind in ("key", "value")),
        ],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)


def tokenizer() -> Tokenizer:
    """One token a letter."""
    known = {"</s>": STOP, "<unk>": UNKNOWN, **{letter: place + 2 for place, letter in enumerate(LETTERS)}}
    made = Tokenizer(WordLevel(known, unk_token="<unk>"))
    made.pre_tokenizer = Split("", "isolated")  # type: ignore[assignment]
    made.decoder = Fuse()  # type: ignore[assignment]
    return made


def make_preprocessor(**given: Any) -> PromptPreprocessor:
    """Prompts of at most 64 tokens with their answers."""
    settings = {"max_length": 64, "max_tokens": 12, "stop_ids": (STOP,), "unknown_id": UNKNOWN, "column": "story"}
    return PromptPreprocessor(PromptSettings(tokenizer=tokenizer().to_str(), **{**settings, **given}))


def make_predictor(folder: Path, work: int = 0, **given: Any) -> GeneratingPredictor:
    """A predictor of the toy."""
    folder.mkdir(parents=True, exist_ok=True)
    write_decoder(folder / "model.onnx", work)
    return GeneratingPredictor(folder / "model.onnx", TextGeneration(), make_preprocessor(**given))


def make_artifact(folder: Path, name: str, work: int = 0, **given: Any) -> Artifact:
    """The toy, sealed like any other model."""
    predictor = make_predictor(folder, work, **given)
    (folder / "preprocessor").mkdir()
    predictor.preprocessor.save(folder / "preprocessor")
    rows = [{"story": "once upon"}, {"story": "a day"}]
    write_examples(folder, rows, [predictor.predict([row]).answers[0] for row in rows])
    (folder / "card.md").write_text("# A toy\n")
    own = PluginUse(
        distribution="tuneloop",
        version=version("tuneloop"),
        names=("core-preprocessing", "core-signals", "core-tasks"),
        serving=True,
    )
    manifest = Manifest(
        model=name,
        task=Part(name="text-generation", state={}),
        preprocessor="prompt",
        base_model="causal-lm",
        strategy="full",
        signature=Signature(
            columns=predictor.preprocessor.columns,
            inputs=predictor.preprocessor.tensors,
            outputs=(Tensor("logits", "float32", ("batch", "places", 1)),),
            output_names=predictor.task.output_names,
        ),
        metrics={"perplexity": 2.0},
        variants={"float32": Variant(bytes=1, metrics={}, served=True, reason="the only one")},
        parity=Parity(rows=1, max_difference=0.0, changed_answers=0),
        data=DataUse(fingerprint="none", rows={"train": 1}),
        lineage=Lineage(parent=None, pipeline="none"),
        plugins=(own,),
        libraries={},
    )
    return seal(folder, manifest)
