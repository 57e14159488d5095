"""A model that generates text as ONE graph: with an empty cache it reads a prompt, with a full one it adds a token.

Inputs are `input_ids`, `attention_mask`, `position_ids`, and `past.N.key` and `past.N.value` of each layer N; outputs
are `logits`, and `present.N.key` and `present.N.value`. Imports torch: import it inside functions.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from tuneloop.api import Arrays, ExportSpec, Tensor
from tuneloop_onnx.trace import trace

_ROWS, _NEW, _OLD = 3, 4, 5
"""Sizes of the example: each axis has its own, and none is 1, or the tracer would take some for equal or fixed."""


class Flat(torch.nn.Module):
    """A decoder whose cache has a name a tensor, with outputs by name: what `trace` takes."""

    def __init__(self, decoder: torch.nn.Module, layers: int) -> None:
        super().__init__()
        self.decoder = decoder
        self._past, self._present = cache_names("past", layers), cache_names("present", layers)

    def forward(self, **inputs: torch.Tensor) -> dict[str, torch.Tensor]:
        """Logits, then the longer cache."""
        logits, *kept = self.decoder(
            inputs["input_ids"],
            inputs["attention_mask"],
            inputs["position_ids"],
            [inputs[name] for name in self._past],
        )
        return {"logits": logits, **dict(zip(self._present, kept, strict=True))}


def trace_decoder(model: Any, opset: int) -> Any:
    """The graph as an `onnx.ModelProto`.

    Args:
        model: As `tuneloop.api.DecoderModel` describes it.
        opset: The operator set.

    Raises:
        RunError: The model cannot be exported.
    """
    sizes = model.cache_sizes()
    flat = Flat(model.decoder(), len(sizes)).eval()
    return trace(flat, _spec(flat, sizes), opset)


def _spec(flat: Flat, sizes: list[tuple[int, int]]) -> ExportSpec:
    pairs = [size for size in sizes for _ in range(2)]
    old, new = cache_names("past", len(sizes)), cache_names("present", len(sizes))
    inputs = (
        Tensor("input_ids", "int64", ("batch", "length")),
        Tensor("attention_mask", "int64", ("batch", "total")),
        Tensor("position_ids", "int64", ("batch", "length")),
        *(Tensor(n, "float32", ("batch", heads, "past", width)) for n, (heads, width) in zip(old, pairs, strict=True)),
    )
    draw = np.random.default_rng(0)
    place = np.arange(_OLD, _OLD + _NEW, dtype=np.int64)
    example: Arrays = {
        "input_ids": draw.integers(0, 3, (_ROWS, _NEW)),
        "attention_mask": np.ones((_ROWS, _OLD + _NEW), dtype=np.int64),
        "position_ids": np.tile(place, (_ROWS, 1)),
        **{
            name: draw.normal(size=(_ROWS, heads, _OLD, width)).astype(np.float32)
            for name, (heads, width) in zip(old, pairs, strict=True)
        },
    }
    with torch.no_grad():
        found = flat(**{name: torch.from_numpy(array) for name, array in example.items()})
    outputs = (
        Tensor("logits", "float32", ("batch", "length", int(found["logits"].shape[-1]))),
        *(Tensor(n, "float32", ("batch", heads, "total", width)) for n, (heads, width) in zip(new, pairs, strict=True)),
    )
    return ExportSpec(inputs, outputs, example)


def cache_names(word: str, layers: int) -> tuple[str, ...]:
    """Names of the keys and values of each layer."""
    return tuple(f"{word}.{layer}.{kind}" for layer in range(layers) for kind in ("key", "value"))
