"""The network for tables. Imports torch: import it inside functions."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class TableNetwork(nn.Module):
    """Numbers and category positions to logits and the last hidden layer; see `tuneloop.api.TorchModel`."""

    def __init__(
        self,
        numbers: int,
        cardinalities: Sequence[int],
        hidden: Sequence[int],
        outputs: int,
        dropout: float,
        *,
        pieces: Sequence[int] = (),
        piece_width: int = 16,
    ) -> None:
        super().__init__()
        self.pieces = PieceNumbers(pieces, piece_width) if pieces else None
        if pieces:
            numbers += len(pieces) * (piece_width - 1)
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
            numeric: `float32 [batch, numbers]`; None where the table has no numbers. With pieces the first columns are
                places from 0 to 1.
            categorical: `int64 [batch, categories]`; None where it has no categories.
        """
        parts = [] if numeric is None else [numeric if self.pieces is None else self.pieces(numeric)]
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
        """Parameter names: the head, the hidden layers from the top, the embeddings of categories and numbers."""
        names = [name for name, _ in self.named_parameters()]
        blocks = [f"blocks.{row}." for row in reversed(range(len(self.blocks)))]
        lowest = ("embeddings.", "pieces.")
        prefixes = [("head.",), *((block,) for block in blocks), lowest]
        groups = [[name for name in names if name.startswith(prefix)] for prefix in prefixes]
        return [group for group in groups if group]


class PieceNumbers(nn.Module):
    """Each number by the pieces it fills, then a small layer a number.

    The piecewise-linear encoding of Gorishniy, Rubachev, Babenko: On Embeddings for Numerical Features in Tabular Deep
    Learning, 2022, section 3.2: pieces below the number are full, those above it empty, its own is full in part.
    """

    counts: Tensor
    starts: Tensor

    def __init__(self, pieces: Sequence[int], width: int) -> None:
        super().__init__()
        most = max(pieces)
        self.register_buffer("counts", torch.tensor(pieces, dtype=torch.float32)[:, None], persistent=False)
        self.register_buffer("starts", torch.arange(most, dtype=torch.float32), persistent=False)
        self.weight = nn.Parameter(torch.randn(len(pieces), most, width) * most**-0.5)
        self.bias = nn.Parameter(torch.zeros(len(pieces), width))

    def forward(self, numeric: Tensor) -> Tensor:
        """`float32 [batch, numbers * width + rest]` of `[batch, numbers + rest]`: what is no place follows as it is."""
        count = len(self.counts)
        filled = (numeric[:, :count, None] * self.counts - self.starts).clamp(0, 1) * 2 - 1
        own = torch.relu(torch.einsum("bnp,npw->bnw", filled, self.weight) + self.bias)
        return torch.cat([own.flatten(1), numeric[:, count:]], dim=1)


def embedding_width(categories: int) -> int:
    """Numbers per category value: grows slowly with their count, at most 50."""
    return int(min(50, max(2, round(1.6 * categories**0.56))))
