"""MLServer: no runtime of its own runs ONNX, so a model class does, as its documentation shows."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

from graph import INLINE, OUTPUT, THREADS, Graph
from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceRequest, InferenceResponse


class Onnx(MLModel):  # type: ignore[misc]
    """Tensors of the Open Inference Protocol, straight to the graph."""

    async def load(self) -> bool:
        """Load the graph."""
        self._graph = Graph()
        self._pool = ThreadPoolExecutor(THREADS)
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Logits of a request's rows."""
        inputs = {one.name: NumpyCodec.decode_input(one) for one in payload.inputs}
        if INLINE:
            logits = self._graph.run(inputs)
        else:
            logits = await asyncio.get_running_loop().run_in_executor(self._pool, self._graph.run, inputs)
        return InferenceResponse(model_name=self.name, outputs=[NumpyCodec.encode_output(OUTPUT, logits)])
