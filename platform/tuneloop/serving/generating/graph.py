"""A decoder's graph with its cache: tokens in, logits of the next ones out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuneloop.api import Arrays, ArtifactError

_PAST, _PRESENT = "past.", "present."


@dataclass(slots=True)
class Cache:
    """What a decoder remembers of some rows.

    Attributes:
        length: Tokens read so far.
        values: Keys and values by the name of the input that takes them, as ONNX Runtime holds them.
        fixed: Inputs that stay the same, such as what an encoder made of the source.
    """

    length: int
    values: dict[str, Any]
    fixed: Mapping[str, Any] = field(default_factory=dict)


class DecoderGraph:
    """Calls of a graph as `tuneloop_onnx.decoder` writes it. Thread-safe: all state is in the cache.

    Args:
        session: An `onnxruntime.InferenceSession`.
        device: Where it runs, `cpu` or `cuda`: the cache stays there.

    Raises:
        ArtifactError: The graph has no cache.
    """

    def __init__(self, session: Any, device: str = "cpu") -> None:
        self._session, self._device = session, device
        self._empty = {
            one.name: tuple(size if isinstance(size, int) else -1 for size in one.shape)
            for one in session.get_inputs()
            if one.name.startswith(_PAST)
        }
        self._names = frozenset(one.name for one in session.get_inputs())
        outputs = [one.name for one in session.get_outputs()]
        if not self._empty or len(outputs) != len(self._empty) + 1 or outputs[0] != "logits":
            raise ArtifactError("the graph is no decoder with a cache (past.N.key, past.N.value); export it again")
        self._outputs = outputs
        self.vocabulary = int(session.get_outputs()[0].shape[-1])

    def begin(self, rows: int = 1, fixed: Mapping[str, Any] | None = None) -> Cache:
        """An empty cache.

        Args:
            rows: Texts that are written together.
            fixed: What an encoder made of their sources, as `EncoderGraph.read` gives it.
        """
        values = {
            name: self._value(np.zeros((rows, shape[1], 0, shape[3]), dtype=np.float32))
            for name, shape in self._empty.items()
        }
        return Cache(0, values, {name: value for name, value in (fixed or {}).items() if name in self._names})

    def step(self, tokens: NDArray[np.int64], cache: Cache) -> NDArray[np.float32]:
        """Read tokens `int64 [rows, n]` and give the logits of those that follow, `float32 [rows, n, vocabulary]`.

        The cache grows by them.
        """
        rows, new = tokens.shape
        total = cache.length + new
        given: dict[str, NDArray[Any]] = {
            "input_ids": np.ascontiguousarray(tokens, dtype=np.int64),
            "attention_mask": np.ones((rows, total), dtype=np.int64),
            "position_ids": np.tile(np.arange(cache.length, total, dtype=np.int64), (rows, 1)),
        }
        feed = {name: self._value(array) for name, array in given.items() if name in self._names}
        feed |= cache.values
        feed.update(cache.fixed)
        logits, *kept = self._run(feed)
        cache.values = {
            name.replace(_PRESENT, _PAST, 1): value for name, value in zip(self._outputs[1:], kept, strict=True)
        }
        cache.length = total
        found: NDArray[np.float32] = logits.numpy()
        return found

    def reorder(self, cache: Cache, rows: Sequence[int]) -> None:
        """Let the cache's rows be those at these positions: a row may be taken twice, or dropped.

        All rows of a cache with an encoder's output are of one source.
        """
        order = np.asarray(rows, dtype=np.int64)
        cache.values = {name: self._taken(value, order) for name, value in cache.values.items()}
        if any(value.shape()[0] != len(order) for value in cache.fixed.values()):
            first = np.zeros_like(order)
            cache.fixed = {name: self._taken(value, first) for name, value in cache.fixed.items()}

    def _taken(self, value: Any, order: NDArray[np.int64]) -> Any:
        return self._value(np.ascontiguousarray(value.numpy()[order]))

    def _run(self, feed: Mapping[str, Any]) -> list[Any]:
        return run_bound(self._session, self._outputs, feed, self._device)

    def _value(self, array: NDArray[Any]) -> Any:
        return on_device(array, self._device)


class EncoderGraph:
    """Calls of the graph that reads sources, as `tuneloop_onnx.encoder_decoder` writes it.

    Args:
        session: An `onnxruntime.InferenceSession`.
        device: Where it runs, `cpu` or `cuda`: what it gives stays there.
    """

    def __init__(self, session: Any, device: str = "cpu") -> None:
        self._session, self._device = session, device
        self._inputs = [one.name for one in session.get_inputs()]
        self._outputs = [one.name for one in session.get_outputs()]

    def read(self, source: Arrays) -> dict[str, Any]:
        """What a decoder reads of some sources, by the name of the input that takes it."""
        feed = {name: on_device(np.ascontiguousarray(source[name]), self._device) for name in self._inputs}
        return dict(zip(self._outputs, run_bound(self._session, self._outputs, feed, self._device), strict=True))


def run_bound(session: Any, outputs: Sequence[str], feed: Mapping[str, Any], device: str) -> list[Any]:
    """The outputs of a session as ONNX Runtime holds them."""
    if device == "cpu":
        # Without NumPy arrays in between, a cache is not copied at each step.
        found: list[Any] = session.run_with_ort_values(list(outputs), dict(feed))
        return found
    binding = session.io_binding()
    for name, value in feed.items():
        binding.bind_ortvalue_input(name, value)
    for name in outputs:
        binding.bind_output(name, device, 0)
    session.run_with_iobinding(binding)
    binding.synchronize_outputs()
    bound: list[Any] = binding.get_outputs()
    return bound


def on_device(array: NDArray[Any], device: str) -> Any:
    """An array as ONNX Runtime holds it."""
    from onnxruntime import OrtValue

    return OrtValue.ortvalue_from_numpy(array, device, 0)
