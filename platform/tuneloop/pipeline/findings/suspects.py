"""Labels that a simple model of all other rows contradicts: before anything is tuned, while they can be mended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuneloop.api import Row
from tuneloop.pipeline.data.rows import plain
from tuneloop.pipeline.evaluating.left_out import left_out_probabilities
from tuneloop.pipeline.findings.finding import SHOWN, finding
from tuneloop.pipeline.findings.labels import doubtful_labels

Floats = NDArray[np.float64]

MOST_ROWS = 5_000
"""Rows that are looked at, taken evenly from all: about 5 s."""
_FEWEST_ROWS = 100
_MOST_CHARACTERS = 2_000
"""Of a text: what it is about, it says at its beginning."""
_DIRECTIONS = 200
"""Into which the counts of words are brought."""
_MOST_KINDS = 50
"""Different values of a column that are told apart: the most frequent."""
_BETTER = 0.1
"""Of the rows that the most frequent label does not fit, the share by which more are right, at least."""
_SEED = 0


def label_errors(rows: Sequence[Row], names: Sequence[str], target: str, *, texts: bool) -> list[dict[str, Any]]:
    """A finding on the labels that are probably wrong, the most doubtful first.

    A linear model gives the probabilities of each row's classes that the other rows suggest: on the weights of words
    where rows are texts, else on the columns. Confident learning then tells what contradicts them.

    Args:
        rows: Rows with one label each.
        names: Their input columns.
        target: The column with the labels.
        texts: Whether the inputs are texts, or the columns of a table.

    Raises:
        MissingExtraError: `cleanlab` is not installed.
    """
    places = np.unique(np.linspace(0, len(rows) - 1, min(len(rows), MOST_ROWS)).astype(np.int64))
    chosen = [rows[place] for place in places.tolist()]
    known = np.array([plain(row[target]) is not None for row in chosen], dtype=bool)
    kept = [row for row, one in zip(chosen, known, strict=True) if one]
    named, labels = np.unique([str(row[target]) for row in kept], return_inverse=True)
    if len(kept) < _FEWEST_ROWS or len(named) < 2:
        return []
    features = text_features(kept, names) if texts else table_features(kept, names)
    if features is None:
        return []
    probabilities = left_out_probabilities(features, labels, len(named))
    right = float((probabilities.argmax(axis=1) == labels).mean())
    guessed = float(np.bincount(labels).max() / len(labels))
    if right < guessed + _BETTER * (1 - guessed):
        # What knows no better than to guess accuses nobody.
        return []
    found = doubtful_labels(labels, probabilities)
    if not len(found):
        return []
    rather = probabilities[found].argmax(axis=1)
    shown = ", ".join(
        f"row {places[known][at]} is {str(named[labels[at]])!r}, rather {str(named[other])!r}"
        for at, other in zip(found[:SHOWN].tolist(), rather[:SHOWN].tolist(), strict=True)
    )
    looked = f" of {len(kept)} rows that were looked at" if len(places) < len(rows) else ""
    text = (
        f"{len(found)} labels{looked} ({len(found) / len(kept):.1%}) are not what a simple model makes of the other "
        f"rows, and may be wrong: {shown}"
    )
    return [finding("label errors", text, places[known][found].tolist())]


def text_features(rows: Sequence[Row], names: Sequence[str]) -> Floats | None:
    """The directions in which the weights of words (TF-IDF) differ most, `float64 [n, d]`; None without words."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.utils.extmath import randomized_svd

    read = [" ".join(str(row[name] or "")[:_MOST_CHARACTERS] for name in names) for row in rows]
    try:
        words = TfidfVectorizer(min_df=2, ngram_range=(1, 2), sublinear_tf=True, max_features=20_000).fit_transform(
            read
        )
    except ValueError:
        # No word is there twice.
        return None
    directions = min(_DIRECTIONS, words.shape[1] - 1, len(rows) // 4)
    if directions < 1:
        return None
    left, sizes, _ = randomized_svd(words, directions, random_state=_SEED)
    return _telling(left * sizes)


def table_features(rows: Sequence[Row], names: Sequence[str]) -> Floats | None:
    """The columns as numbers, `float64 [n, d]`: frequent values of categories as 0 and 1; None where all are alike."""
    parts = []
    for name in names:
        values = [plain(row[name]) for row in rows]
        there = [value for value in values if value is not None]
        if all(isinstance(value, int | float) and not isinstance(value, bool) for value in there):
            numbers = np.array([np.nan if value is None else value for value in values], dtype=np.float64)
            absent = ~np.isfinite(numbers)
            middle = np.median(numbers[~absent]) if not absent.all() else 0.0
            parts += [np.where(absent, middle, numbers)[:, None], absent[:, None].astype(np.float64)]
        else:
            shown = [str(value) for value in values]
            common = sorted(Counter(shown).most_common(_MOST_KINDS), key=lambda one: one[0])
            parts += [np.array([[one == kind] for one in shown], dtype=np.float64) for kind, _ in common]
    features = np.concatenate(parts, axis=1) if parts else np.empty((len(rows), 0))
    return _telling(features)


def _telling(features: Floats) -> Floats | None:
    """The columns in which rows differ."""
    found: Floats = features[:, features.std(axis=0) > 0]
    return found if found.shape[1] else None
