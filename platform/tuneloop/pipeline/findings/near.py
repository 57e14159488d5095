"""Texts that are nearly equal: copies with a typo, a changed number, another greeting.

MinHash with locality-sensitive hashing over runs of characters: Broder, "On the resemblance and containment of
documents" (1997), as `datasketch` implements it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuneloop.api import MissingExtraError
from tuneloop.pipeline.findings.finding import finding

_LIKE = 0.8
"""Share of their runs of characters that two texts have in common, at least."""
_RUN = 5
_ASKED = 0.65
"""Of the index: it estimates, so that it is asked for less, and what it gives is compared run by run."""
_HASHES = 96
_SHORTEST = 24
"""Characters: shorter texts are like each other by chance."""
MOST_TEXTS = 10_000
"""Texts that are compared; about 5 s."""
_BESIDE = 100
"""Texts that are taken one after the other: copies often stand beside each other."""


def compared(rows: int, most: int = MOST_TEXTS) -> NDArray[np.int64]:
    """The places of the rows that are compared, `int64`, ascending: all, or blocks that are spread evenly over them.

    Args:
        rows: How many there are.
        most: Places wanted at most; where there are more rows, a multiple of 100.
    """
    if rows <= most:
        return np.arange(rows, dtype=np.int64)
    starts = np.linspace(0, rows - _BESIDE, most // _BESIDE).astype(np.int64)
    return np.unique(starts[:, None] + np.arange(_BESIDE))


def near_copies(
    content: Sequence[str], placed: Sequence[str], places: Sequence[int] | NDArray[np.int64]
) -> list[dict[str, Any]]:
    """Findings on texts that are nearly equal to another one, within a split and across.

    Args:
        content: What the rows that are compared say, normalised.
        placed: The split of each row.
        places: Where among the rows each of `content` stands, ascending.

    Raises:
        MissingExtraError: `datasketch` is not installed.
    """
    pairs = [(int(places[i]), int(places[j])) for i, j in _pairs(content)]
    if not pairs:
        return []
    looked = f" of {len(content)} that were looked at" if len(content) < len(placed) else ""
    rows = sorted({i for pair in pairs for i in pair})
    found = [finding("near-duplicates", f"{len(rows)} rows{looked} are nearly equal to another one", pairs[0])]
    across = [(i, j) for i, j in pairs if (placed[i] == "train") != (placed[j] == "train")]
    if across:
        trained = sorted({i if placed[i] == "train" else j for i, j in across})
        text = (
            f"{len(trained)} training rows{looked} are nearly equal to one held out for judging, which flatters the "
            "metrics"
        )
        found.append(finding("near-leakage", text, across[0]))
    return found


def _pairs(content: Sequence[str]) -> list[tuple[int, int]]:
    """Each text with the first one before it that is nearly, but not wholly, equal."""
    try:
        from datasketch import MinHash, MinHashLSH
    except ImportError as error:
        raise MissingExtraError("the check for near-duplicates", "datasketch", "train") from error
    index = MinHashLSH(threshold=_ASKED, num_perm=_HASHES)
    first: dict[str, int] = {}
    pairs = []
    for i, text in enumerate(content):
        if len(text) < _SHORTEST or text in first:
            continue
        first[text] = i
        sketch = MinHash(num_perm=_HASHES)
        runs = _runs(text)
        sketch.update_batch(list(runs))
        like = [j for j in sorted(index.query(sketch)) if _alike(runs, _runs(content[j]))]
        if like:
            pairs.append((like[0], i))
        index.insert(i, sketch)
    return pairs


def _runs(text: str) -> set[bytes]:
    return {text[at : at + _RUN].encode("utf-8", "surrogatepass") for at in range(len(text) - _RUN + 1)}


def _alike(one: set[bytes], other: set[bytes]) -> bool:
    return len(one & other) >= _LIKE * len(one | other)
