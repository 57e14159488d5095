"""What the most similar rows are labelled: a probe that needs no training and no library but numpy."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuneloop.api import Row

NEIGHBOURS = 15
_WORDS = 512
"""Places that pieces of texts are hashed to."""
_MOST_CATEGORIES = 30
_PIECE = 3
_BATCH = 500


def neighbours_labels(rows: Sequence[Row], labels: Sequence[str]) -> list[str]:
    """For each row the label that most of its nearest other rows have; the row's own has no say.

    Args:
        rows: As requests hold them.
        labels: One a row.
    """
    places = {label: place for place, label in enumerate(sorted(set(labels)))}
    names = list(places)
    truth = np.array([places[label] for label in labels])
    points = features(rows)
    lengths = (points**2).sum(axis=1)
    nearest = min(NEIGHBOURS, len(rows) - 1)
    found: list[str] = []
    for start in range(0, len(rows), _BATCH):
        mine = points[start : start + _BATCH]
        distances = lengths[None, :] - 2 * (mine @ points.T)
        distances[np.arange(len(mine)), np.arange(start, start + len(mine))] = np.inf
        around = np.argpartition(distances, nearest - 1, axis=1)[:, :nearest]
        votes = np.zeros((len(mine), len(names)), dtype=np.int64)
        np.add.at(votes, (np.arange(len(mine))[:, None], truth[around]), 1)
        found += [names[place] for place in votes.argmax(axis=1).tolist()]
    return found


def features(rows: Sequence[Row]) -> NDArray[np.float32]:
    """Rows as points, `float32 [n, features]`: similar rows are near.

    A number becomes its rank, a category a mark for each frequent value, a text the pieces of three characters in it,
    hashed, with the length 1. Every column weighs the same.
    """
    columns = sorted({name for row in rows for name in row})
    blocks = [_block([row.get(name) for row in rows]) for name in columns]
    return np.concatenate(blocks, axis=1) if blocks else np.zeros((len(rows), 0), dtype=np.float32)


def _block(values: Sequence[Any]) -> NDArray[np.float32]:
    known = [value for value in values if value is not None]
    if known and all(isinstance(value, int | float) for value in known):
        return _ranks(np.array([np.nan if value is None else float(value) for value in values]))
    texts = ["" if value is None else value if isinstance(value, str) else repr(value) for value in values]
    counted = Counter(texts)
    if len(counted) <= _MOST_CATEGORIES:
        return np.stack(
            [np.array([text == one for text in texts], dtype=np.float32) for one in sorted(counted)], axis=1
        )
    return np.stack([_pieces(text) for text in texts])


def _ranks(numbers: NDArray[np.float64]) -> NDArray[np.float32]:
    missing = np.isnan(numbers)
    ranks = np.full(len(numbers), 0.5, dtype=np.float32)
    _, place, counts = np.unique(numbers[~missing], return_inverse=True, return_counts=True)
    if len(counts):
        ranks[~missing] = ((np.cumsum(counts) - counts / 2) / counts.sum())[place]
    return np.stack([ranks, missing.astype(np.float32)], axis=1)


def _pieces(text: str) -> NDArray[np.float32]:
    found = np.zeros(_WORDS, dtype=np.float32)
    padded = f" {' '.join(text.casefold().split())} "
    for start in range(len(padded) - _PIECE + 1):
        # Not hash(): it differs from process to process.
        found[zlib.crc32(padded[start : start + _PIECE].encode("utf-8", "surrogatepass")) % _WORDS] += 1
    length = float(np.sqrt((found**2).sum()))
    return found / length if length else found
