"""BentoML's adaptive batching; rows of different lengths are padded to the longest of their batch."""

from __future__ import annotations

from typing import Annotated

import bentoml
import numpy as np
from bentoml.validators import DType, Shape
from graph import THREADS, Graph, pad
from numpy.typing import NDArray
from pydantic import BaseModel

_BATCH = {"batchable": True, "max_batch_size": 32, "max_latency_ms": 30000}
Numbers = Annotated[np.ndarray, Shape((-1, 20)), DType("float32")]


class Tokens(BaseModel):
    """One row."""

    input_ids: list[int]
    attention_mask: list[int]
    token_type_ids: list[int]


@bentoml.service(name="bento_batch", threads=THREADS, traffic={"timeout": 60})
class Batch:
    """Arrays in, arrays out, joined by BentoML."""

    def __init__(self) -> None:
        # BentoML runs one batch at a time, so the threads are inside the call.
        self.graph = Graph(intra=THREADS)

    @bentoml.api(**_BATCH)
    def table(self, numeric: Numbers) -> np.ndarray:
        """Logits of rows of numbers."""
        return self.graph.run({"numeric": numeric})

    @bentoml.api(**_BATCH)
    def encoder(self, rows: list[Tokens]) -> NDArray[np.float32]:
        """Logits of rows of tokens."""
        return self.graph.run({name: pad([getattr(row, name) for row in rows]) for name in self.graph.dtypes})
