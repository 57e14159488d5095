"""Several short rows as one: positions begin anew with each, and none sees another. Imports torch.

A batch costs what its tokens cost, not what its longest row times its rows would. Given positions that begin anew and
no attention mask, transformers lets a token attend to those of its own row alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from tuneloop.api import PluginError

_TOLERANCE = 1e-3


@dataclass(frozen=True, slots=True)
class Packed:
    """Where the tokens of rows stand in fewer and fuller rows.

    Attributes:
        source: `int64 [packed, width]`, counted over the rows' `[n, length]`; -1 where a packed row holds nothing.
        positions: `int64 [packed, width]`, from 0 for each row; 0 where nothing stands.
    """

    source: Tensor
    positions: Tensor

    def gather(self, values: Tensor) -> Tensor:
        """Values `[n, length]` as `[packed, width]`; any value where nothing stands."""
        return values.flatten()[self.source.clamp(min=0)]

    def scatter(self, values: Tensor, shape: torch.Size, fill: float) -> Tensor:
        """The inverse of `gather`: values `[packed, width]` as `[n, length]`, filled where no row has a token."""
        held = self.source >= 0
        return values.new_full((shape.numel(),), fill).index_put((self.source[held],), values[held]).view(shape)


def pack(attention_mask: Tensor) -> Packed:
    """Rows put together, none longer than the longest of them: first fit, from the longest to the shortest.

    Args:
        attention_mask: `[n, length]`: ones, and zeros behind them.
    """
    lengths: list[int] = attention_mask.sum(dim=1).tolist()
    rows = _first_fit(lengths)
    width = max((sum(lengths[row] for row in held) for held in rows), default=0)
    source = torch.full((len(rows), width), -1, dtype=torch.int64)
    positions = torch.zeros((len(rows), width), dtype=torch.int64)
    for place, held in enumerate(rows):
        start = 0
        for row in held:
            tokens, end = torch.arange(lengths[row]), start + lengths[row]
            source[place, start:end] = row * attention_mask.shape[1] + tokens
            positions[place, start:end] = tokens
            start = end
    return Packed(source.to(attention_mask.device), positions.to(attention_mask.device))


def _first_fit(lengths: Sequence[int]) -> list[list[int]]:
    """Which rows share a packed one."""
    most = max(lengths, default=0)
    rows: list[list[int]] = []
    room: list[int] = []
    for row in sorted(range(len(lengths)), key=lambda row: -lengths[row]):
        place = next((place for place, left in enumerate(room) if left >= lengths[row]), len(rows))
        if place == len(rows):
            rows.append([])
            room.append(most)
        rows[place].append(row)
        room[place] -= lengths[row]
    return rows


def check_packing(model: Any, name: str) -> None:
    """Read two rows as one and apart.

    Raises:
        PluginError: Their logits differ: what the model makes of a row depends on those beside it.
    """
    tokens = torch.arange(1, 8, device=model.device) % model.config.vocab_size
    parts, positions = (tokens[:4], tokens[4:]), torch.cat([torch.arange(4), torch.arange(3)]).to(model.device)
    with torch.no_grad():
        apart = torch.cat([model(input_ids=part[None], use_cache=False).logits[0] for part in parts])
        try:
            packed = model(input_ids=tokens[None], position_ids=positions[None], use_cache=False).logits[0]
        except TypeError as error:
            raise PluginError(f"model.pack: {type(model).__name__} of {name!r} takes no positions: {error}") from error
    difference = float((packed - apart).abs().max())
    if difference > _TOLERANCE * max(1.0, float(apart.abs().max())):
        raise PluginError(
            f"model.pack: {type(model).__name__} of {name!r} lets rows that share a sequence see each other "
            f"(logits differ by {difference:.3g}); leave model.pack out"
        )
