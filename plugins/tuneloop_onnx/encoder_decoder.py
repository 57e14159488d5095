"""A model that reads a source and writes a text, as TWO graphs: one reads, the other adds tokens to a cache.

The encoder takes the source's inputs and gives `source_mask`, and `cross.N.key` and `cross.N.value` of each layer N of
the decoder. The decoder takes these beside `input_ids`, `past.N.key` and `past.N.value`; it gives `logits`, and
`present.N.key` and `present.N.value`. Imports torch: import it inside functions.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from tuneloop.api import SCORED, TARGET_IDS, Arrays, ExportSpec, RunError, Tensor
from tuneloop_onnx.decoder import cache_names
from tuneloop_onnx.trace import trace

_ROWS, _NEW, _OLD, _SOURCE = 3, 4, 5, 7
"""Sizes of the decoder's example: each axis has its own, and none is 1, or the tracer would take some for equal."""
MASK = "source_mask"


class FlatEncoder(torch.nn.Module):
    """An encoder whose outputs have names."""

    def __init__(self, encoder: torch.nn.Module, layers: int) -> None:
        super().__init__()
        self.encoder = encoder
        self._outputs = (MASK, *cache_names("cross", layers))

    def forward(self, **inputs: torch.Tensor) -> dict[str, torch.Tensor]:
        """The mask, and what the decoder reads."""
        return dict(zip(self._outputs, self.encoder(**inputs), strict=True))


class FlatDecoder(torch.nn.Module):
    """A decoder whose cache has a name a tensor."""

    def __init__(self, decoder: torch.nn.Module, layers: int) -> None:
        super().__init__()
        self.decoder = decoder
        self._past, self._cross = cache_names("past", layers), cache_names("cross", layers)
        self._present = cache_names("present", layers)

    def forward(self, **inputs: torch.Tensor) -> dict[str, torch.Tensor]:
        """Logits, then the longer cache."""
        logits, *kept = self.decoder(
            inputs["input_ids"],
            inputs[MASK],
            [inputs[name] for name in self._past],
            [inputs[name] for name in self._cross],
        )
        return {"logits": logits, **dict(zip(self._present, kept, strict=True))}


def trace_encoder(model: Any, spec: ExportSpec, opset: int) -> Any:
    """The graph that reads, as an `onnx.ModelProto`.

    Args:
        model: As `tuneloop.api.EncoderDecoderModel` describes it.
        spec: Of the whole model: all inputs, with an example.
        opset: The operator set.

    Raises:
        RunError: The model cannot be exported.
    """
    sizes = list(model.cache_sizes())
    flat = FlatEncoder(model.encoder(), len(sizes)).eval()
    inputs = tuple(tensor for tensor in spec.inputs if tensor.name not in (TARGET_IDS, SCORED))
    example = {tensor.name: spec.example[tensor.name] for tensor in inputs}
    with torch.no_grad():
        found = flat(**{name: torch.from_numpy(array) for name, array in example.items()})
    fixed = all(isinstance(size, int) for tensor in inputs for size in tensor.shape[1:])
    source: int | str = int(found[MASK].shape[1]) if fixed else "source"
    own = ExportSpec(inputs, (Tensor(MASK, "int64", ("batch", source)), *_cross(sizes, source)), example)
    return trace(flat, own, opset)


def trace_decoder(model: Any, opset: int) -> Any:
    """The graph that writes, as an `onnx.ModelProto`.

    Args:
        model: As `tuneloop.api.EncoderDecoderModel` describes it.
        opset: The operator set.

    Raises:
        RunError: The model cannot be exported.
    """
    sizes = list(model.cache_sizes())
    flat = FlatDecoder(model.decoder(), len(sizes)).eval()
    pairs = [size for size in sizes for _ in range(2)]
    old, new = cache_names("past", len(sizes)), cache_names("present", len(sizes))
    inputs = (
        Tensor("input_ids", "int64", ("batch", "length")),
        Tensor(MASK, "int64", ("batch", "source")),
        *(Tensor(n, "float32", ("batch", heads, "past", width)) for n, (heads, width) in zip(old, pairs, strict=True)),
        *_cross(sizes, "source"),
    )
    draw = np.random.default_rng(0)
    axes = {"batch": _ROWS, "length": _NEW, "past": _OLD, "source": _SOURCE}
    example: Arrays = {
        "input_ids": draw.integers(0, 3, (_ROWS, _NEW)),
        MASK: np.ones((_ROWS, _SOURCE), dtype=np.int64),
        **{
            tensor.name: draw.normal(size=[axes[s] if isinstance(s, str) else s for s in tensor.shape]).astype(
                "float32"
            )
            for tensor in inputs[2:]
        },
    }
    with torch.no_grad():
        try:
            found = flat(**{name: torch.from_numpy(array) for name, array in example.items()})
        except (RuntimeError, ValueError, TypeError, IndexError) as error:
            raise RunError(f"{type(model).__name__}: its decoder does not take the cache it names: {error}") from error
    outputs = (
        Tensor("logits", "float32", ("batch", "length", int(found["logits"].shape[-1]))),
        *(Tensor(n, "float32", ("batch", heads, "total", width)) for n, (heads, width) in zip(new, pairs, strict=True)),
    )
    own = ExportSpec(inputs, outputs, example)
    return trace(flat, own, opset)


def _cross(sizes: list[tuple[int, int]], source: int | str) -> tuple[Tensor, ...]:
    pairs = [size for size in sizes for _ in range(2)]
    names = cache_names("cross", len(sizes))
    return tuple(
        Tensor(name, "float32", ("batch", heads, source, width))
        for name, (heads, width) in zip(names, pairs, strict=True)
    )
