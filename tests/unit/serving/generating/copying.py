"""An encoder and a decoder without weights: the text that is written is the one that was read, token by token."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from datasets import Dataset
from onnx import TensorProto, helper, numpy_helper, save

from tuneloop.api import Columns
from tuneloop.preprocessing import TextToTextPreprocessor

ROWS = [{"en": "the cat sat", "de": "the cat sat"}, {"en": "a dog", "de": "a cat"}, {"en": "a", "de": "a dog"}]
STOP = 2
SURE = 5.0
"""The logit of the right token; that of all others is 0."""


def make_texts(**target: Any) -> TextToTextPreprocessor:
    """Texts of at most 24 tokens; the vocabulary is that of the rows."""
    settings = {"start_ids": [1], "stop_ids": [STOP], "max_length": 24, "max_tokens": 12, **target}
    options = {"vocabulary": 48, "source": {"max_length": 16, "unknown_id": 3}, "target": settings}
    columns = Columns({"text": "en", "completion": "de"}, target="de")
    return TextToTextPreprocessor.fit(options, columns, Dataset.from_list(ROWS))


def write_copier(folder: Path, vocabulary: int, wrong: int | None = None) -> Path:
    """Both graphs; with `wrong` the token at that place is always the unknown one."""
    info, node = helper.make_tensor_value_info, helper.make_node
    cross = [info(f"cross.0.{kind}", TensorProto.FLOAT, ["batch", 1, "source", 1]) for kind in ("key", "value")]
    mask = info("source_mask", TensorProto.INT64, ["batch", "source"])
    ids = info("input_ids", TensorProto.INT64, ["batch", "length"])
    axes = numpy_helper.from_array(np.array([1, 3]), "axes")
    read = helper.make_graph(
        [
            node("Identity", ["attention_mask"], ["source_mask"]),
            node("Cast", ["input_ids"], ["numbers"], to=TensorProto.FLOAT),
            *(node("Unsqueeze", ["numbers", "axes"], [one.name]) for one in cross),
        ],
        "reads",
        [ids, info("attention_mask", TensorProto.INT64, ["batch", "length"])],
        [mask, *cross],
        [axes],
    )
    constants = {
        "axes": np.array([1, 3]),
        "one": np.array(1),
        "two": np.array(2),
        "depth": np.array(vocabulary),
        "values": np.array([0, SURE], dtype=np.float32),
        "wrong": np.array(-1 if wrong is None else wrong),
        "unknown": np.array(3),
    }
    write = helper.make_graph(
        [
            node("Cast", ["input_ids"], ["numbers"], to=TensorProto.FLOAT),
            node("Unsqueeze", ["numbers", "axes"], ["new"]),
            *(node("Concat", [f"past.0.{kind}", "new"], [f"present.0.{kind}"], axis=2) for kind in ("key", "value")),
            node("Squeeze", ["cross.0.key", "axes"], ["source_numbers"]),
            node("Cast", ["source_numbers"], ["source"], to=TensorProto.INT64),
            node("Shape", ["past.0.key"], ["past_shape"]),
            node("Gather", ["past_shape", "two"], ["begin"]),
            node("Shape", ["input_ids"], ["shape"]),
            node("Gather", ["shape", "one"], ["length"]),
            node("Add", ["begin", "length"], ["end"]),
            node("Range", ["begin", "end", "one"], ["places"]),
            node("Shape", ["source"], ["source_shape"]),
            node("Gather", ["source_shape", "one"], ["size"]),
            node("Sub", ["size", "one"], ["last"]),
            node("Min", ["places", "last"], ["held"]),
            node("Gather", ["source", "held"], ["right"], axis=1),
            node("Equal", ["places", "wrong"], ["is_wrong"]),
            node("Where", ["is_wrong", "unknown", "right"], ["tokens"]),
            node("OneHot", ["tokens", "depth", "values"], ["logits"]),
        ],
        "writes",
        [
            ids,
            mask,
            *(info(f"past.0.{kind}", TensorProto.FLOAT, ["batch", 1, "past", 1]) for kind in ("key", "value")),
            *cross,
        ],
        [
            info("logits", TensorProto.FLOAT, ["batch", "length", vocabulary]),
            *(info(f"present.0.{kind}", TensorProto.FLOAT, ["batch", 1, "total", 1]) for kind in ("key", "value")),
        ],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    opset = [helper.make_opsetid("", 17)]
    folder.mkdir(parents=True, exist_ok=True)
    save(helper.make_model(read, opset_imports=opset, ir_version=9), folder / "encoder.onnx")
    save(helper.make_model(write, opset_imports=opset, ir_version=9), folder / "model.onnx")
    return folder / "model.onnx"


class Copier:
    """The same as a model before it is exported."""

    def greedy(
        self,
        source: Mapping[str, Any],
        start: Sequence[int],
        most: int,
        stops: Sequence[int],
        *,
        forbidden: Sequence[int] = (),
        forbidden_first: Sequence[int] = (),
    ) -> list[list[int]]:
        """What was read, to its end."""
        assert list(start) == [1]
        assert not [*forbidden, *forbidden_first]
        return [row[: row.index(stops[0]) + 1][:most] for row in source["input_ids"].tolist()]
