"""Calls of a graph with IO binding: inputs and outputs lie on the device, and each is copied once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tuneloop.api import Arrays


class BoundGraph:
    """A session whose tensors are bound to a device. Thread-safe: every call binds tensors of its own.

    Without binding ONNX Runtime copies at the edges of each part of the graph that it places on the device.

    Args:
        session: An `onnxruntime.InferenceSession`.
        outputs: Names of the outputs wanted.
        device: `cuda`, or `cpu`, where nothing needs copying and the answers are the same.
        number: Of the device.
    """

    def __init__(self, session: Any, outputs: Sequence[str], device: str = "cuda", number: int = 0) -> None:
        self._session, self._outputs, self._device, self._number = session, tuple(outputs), device, number

    def run(self, inputs: Arrays) -> Arrays:
        """Named inputs to named outputs, in the host's memory."""
        from onnxruntime import OrtValue

        binding = self._session.io_binding()
        # Kept until the call is over: on the CPU a bound tensor is the array itself.
        bound = {
            name: OrtValue.ortvalue_from_numpy(np.ascontiguousarray(array), self._device, self._number)
            for name, array in inputs.items()
        }
        for name, value in bound.items():
            binding.bind_ortvalue_input(name, value)
        for name in self._outputs:
            # Without a shape ONNX Runtime allocates what the call turns out to need.
            binding.bind_output(name, self._device, self._number)
        self._session.run_with_iobinding(binding)
        binding.synchronize_outputs()
        return {name: value.numpy() for name, value in zip(self._outputs, binding.get_outputs(), strict=True)}
