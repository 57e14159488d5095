"""A decoder's graph with its cache: tokens in, logits of the next ones out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuneloop.api import ArtifactError

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
        """An empty cache."""
        values = {
            name: self._value(np.zeros((rows, shape[1], 0, shape[3]), dtype=np.float32))
            for name, shape in self._empty.items()
        }
        return Cache(0, values, {name: self._value(array) for name, array in (fixed or {}).items()})

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
        # An encoder's mask goes by the same name in graphs that read its output.
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
        """Let the cache's rows be those at these positions: a row may be taken twice, or dropped."""
        order = np.asarray(rows, dtype=np.int64)
        cache.values = {
            name: self._value(np.ascontiguousarray(value.numpy()[order])) for name, value in cache.values.items()
        }

    def _run(self, feed: Mapping[str, Any]) -> list[Any]:
        if self._device == "cpu":
            # Without NumPy arrays in between, the cache is not copied at each step.
            found: list[Any] = self._session.run_with_ort_values(self._outputs, dict(feed))
            return found
        binding = self._session.io_binding()
        for name, value in feed.items():
            binding.bind_ortvalue_input(name, value)
        for name in self._outputs:
            binding.bind_output(name, self._device, 0)
        self._session.run_with_iobinding(binding)
        binding.synchronize_outputs()
        bound: list[Any] = binding.get_outputs()
        return bound

    def _value(self, array: NDArray[Any]) -> Any:
        from onnxruntime import OrtValue

        return OrtValue.ortvalue_from_numpy(array, self._device, 0)
