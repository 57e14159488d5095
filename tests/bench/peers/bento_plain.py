"""BentoML as its first page shows it: a synchronous `@bentoml.api`, run in a pool of threads."""

from __future__ import annotations

import bentoml
from graph import THREADS, Graph


@bentoml.service(name="bento_plain", threads=THREADS, traffic={"timeout": 60})
class Plain:
    """Lists of numbers in, lists of numbers out."""

    def __init__(self) -> None:
        self.graph = Graph()

    @bentoml.api
    def table(self, numeric: list[list[float]]) -> list[list[float]]:
        """Logits of rows of numbers."""
        logits: list[list[float]] = self.graph.run_lists({"numeric": numeric}).tolist()
        return logits

    @bentoml.api
    def encoder(
        self, input_ids: list[list[int]], attention_mask: list[list[int]], token_type_ids: list[list[int]]
    ) -> list[list[float]]:
        """Logits of rows of tokens."""
        inputs = {"input_ids": input_ids, "attention_mask": attention_mask, "token_type_ids": token_type_ids}
        logits: list[list[float]] = self.graph.run_lists(inputs).tolist()
        return logits
