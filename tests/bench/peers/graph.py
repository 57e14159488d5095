"""The graph as every peer runs it: one ONNX file, options as Tuneloop sets them, inputs by name."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

MODEL = os.environ.get("BENCH_MODEL", "")
"""Path of the ONNX file."""
THREADS = int(os.environ.get("BENCH_THREADS", "2"))
"""Calls of the graph that may run at the same time."""
INLINE = os.environ.get("BENCH_INLINE") == "1"
"""Whether a call is so short that handing it to a thread would cost more."""
PADDED = os.environ.get("BENCH_PADDED") == "1"
"""Whether rows differ in length."""
OUTPUT = "logits"
_DTYPES = {"tensor(float)": np.float32, "tensor(int64)": np.int64}


class Graph:
    """The session. Thread safe.

    Args:
        intra: Threads inside one call.
    """

    def __init__(self, intra: int = 1) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = intra
        options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._session = onnxruntime.InferenceSession(MODEL, options, providers=["CPUExecutionProvider"])
        self.dtypes = {one.name: _DTYPES[one.type] for one in self._session.get_inputs()}

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> NDArray[np.float32]:
        """Arrays `[rows, ...]` by input name to logits `[rows, classes]`."""
        (logits,) = self._session.run([OUTPUT], dict(inputs))
        return logits  # type: ignore[no-any-return]

    def run_lists(self, inputs: Mapping[str, Sequence[Sequence[float]]]) -> NDArray[np.float32]:
        """As `run`, from lists."""
        return self.run({name: np.asarray(inputs[name], dtype) for name, dtype in self.dtypes.items()})


def pad(rows: Sequence[Sequence[int]]) -> NDArray[np.int64]:
    """Token ids of different lengths as one array, with 0 behind the shorter ones. The mask is padded the same way."""
    padded = np.zeros((len(rows), max(map(len, rows))), np.int64)
    for position, row in enumerate(rows):
        padded[position, : len(row)] = row
    return padded
