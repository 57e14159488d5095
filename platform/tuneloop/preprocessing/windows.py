"""Long token sequences in windows that overlap, so that nothing is cut and every token sees its neighbours."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from tuneloop.api import Arrays, Encoded, Tensor


def window_starts(count: int, size: int, overlap: int) -> list[int]:
    """Where windows of `size` tokens begin, so that they cover `count` tokens; each two share at least `overlap`.

    The last window ends with the last token, so all are of one length and none is padded.
    """
    if count <= size:
        return [0]
    step = size - overlap
    return [*range(0, count - size, step), count - size]


def owners(places: Sequence[int], starts: Sequence[int], size: int) -> list[int]:
    """The window that reads each place: of those that hold it the one where it is furthest from a cut edge.

    Args:
        places: Token positions, rising.
        starts: Where windows begin, rising; together they hold every place.
        size: Tokens of a window.
    """
    found = []
    for place in places:
        holding = [w for w, start in enumerate(starts) if start <= place < start + size]
        found.append(max(holding, key=lambda w: (min(place - starts[w], starts[w] + size - 1 - place), -w)))
    return found


def earliest(places: Sequence[int], starts: Sequence[int], size: int) -> list[int]:
    """As `owners`, but of the windows that hold a place the one that has most tokens before it."""
    return [next(w for w, start in enumerate(starts) if start <= place < start + size) for place in places]


def group_windows(rows: Sequence[Arrays], tensors: Sequence[Tensor]) -> list[Encoded]:
    """Inputs `[windows, length]` of rows as groups `[rows, windows, length]`, one a number of windows and a length."""
    groups: dict[tuple[int, ...], list[int]] = defaultdict(list)
    for position, inputs in enumerate(rows):
        groups[inputs[tensors[0].name].shape].append(position)
    return [
        Encoded(
            tuple(members),
            {tensor.name: np.stack([rows[position][tensor.name] for position in members]) for tensor in tensors},
            shape[1],
        )
        for shape, members in sorted(groups.items())
    ]
