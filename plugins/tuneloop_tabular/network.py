"""The network for tables. Imports torch: import it inside functions."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class TableNetwork(nn.Module):
    """Numbers and category positions to logits and the last hidden layer; see `tuneloop.api.TorchModel`."""

    def __init__(
        self, numbers: int, cardinalities: Sequence[int], hidden: Sequence[int], outputs: int, dropout: float
    ) -> None:
        super().__init__()
        self.embeddings = nn.ModuleList(nn.Embedding(size, embedding_width(size)) for size in cardinalities)
        width = numbers + sum(embedding_width(size) for size in cardinalities)
        blocks = []
        for size in hidden:
            blocks.append(nn.Sequential(nn.Linear(width, size), nn.ReLU(), nn.Dropout(dropout)))
            width = size
        self.blocks = nn.ModuleList(blocks)
        self.head = nn.Linear(width, outputs)
        with torch.no_grad():
            for table in self.embeddings:
                table.weight.mul_(0.1)  # type: ignore[operator]

    def features(self, numeric: Tensor | None = None, categorical: Tensor | None = None) -> Tensor:
        """The last hidden layer `float32 [batch, hidden]`.

        Args:
            numeric: `float32 [batch, numbers]`; None where the table has no numbers.
            categorical: `int64 [batch, categories]`; None where it has no categories.
        """
        parts = [] if numeric is None else [numeric]
        if categorical is not None:
            parts += [table(categorical[:, column]) for column, table in enumerate(self.embeddings)]
        hidden = torch.cat(parts, dim=1)
        for block in self.blocks:
            hidden = block(hidden)
        return hidden

    def forward(self, numeric: Tensor | None = None, categorical: Tensor | None = None) -> dict[str, Tensor]:
        """`logits [batch, outputs]` and `embedding [batch, hidden]`."""
        embedding = self.features(numeric, categorical)
        return {"logits": self.head(embedding), "embedding": embedding}

    def layer_groups(self) -> list[list[str]]:
        """Parameter names: the head, the hidden layers from the top, the embeddings."""
        names = [name for name, _ in self.named_parameters()]
        blocks = [f"blocks.{row}." for row in reversed(range(len(self.blocks)))]
        groups = [[name for name in names if name.startswith(prefix)] for prefix in ("head.", *blocks, "embeddings.")]
        return [group for group in groups if group]


def embedding_width(categories: int) -> int:
    """Numbers per category value: grows slowly with their count, at most 50."""
    return int(min(50, max(2, round(1.6 * categories**0.56))))
