"""LitServe: one process takes requests, others run the graph; ZeroMQ between them, its faster queue."""

from __future__ import annotations

import os
from typing import Any

import litserve
from graph import INLINE, PADDED, THREADS, Graph, pad

_BATCH = 8


class Alone(litserve.LitAPI):
    """One request a call."""

    def setup(self, device: str) -> None:
        """Load the graph."""
        self.graph = Graph()

    def predict(self, request: dict[str, Any]) -> Any:
        """Logits of a request's rows."""
        return {"logits": self.graph.run_lists(request).tolist()}


class Together(Alone):
    """Rows of several requests in one call, padded to the longest."""

    def batch(self, inputs: list[dict[str, Any]]) -> dict[str, Any]:
        """One row of each request, as one array a name."""
        return {name: pad([request[name][0] for request in inputs]) for name in inputs[0]}

    def predict(self, request: dict[str, Any]) -> Any:
        """Logits of all rows."""
        return self.graph.run(request)

    def unbatch(self, output: Any) -> Any:
        """The logits of each request."""
        return [{"logits": [row.tolist()]} for row in output]


if __name__ == "__main__":
    api = Together(max_batch_size=_BATCH, batch_timeout=0.002) if PADDED else Alone()
    server = litserve.LitServer(
        api, accelerator="cpu", workers_per_device=1 if INLINE else THREADS, fast_queue=True, timeout=60
    )
    server.run(
        host="127.0.0.1",
        port=int(os.environ["BENCH_PORT"]),
        num_api_servers=1,
        log_level="warning",
        generate_client_file=False,
        access_log=False,
    )
