"""Texts that are nearly equal: copies with a typo, a changed number, another greeting.

MinHash with locality-sensitive hashing over runs of characters: Broder, "On the resemblance and containment of
documents" (1997), as `datasketch` implements it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

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


def near_copies(content: Sequence[str], placed: Sequence[str]) -> list[dict[str, Any]]:
    """Findings on texts that are nearly equal to another one, within a split and across.

    Args:
        content: What each row says, normalised; only the first `MOST_TEXTS` are looked at.
        placed: The split of each row, and of those behind them.

    Raises:
        MissingExtraError: `datasketch` is not installed.
    """
    pairs = _pairs(content)
    if not pairs:
        return []
    looked = f" of the first {MOST_TEXTS}" if len(placed) > MOST_TEXTS else ""
    rows = sorted({i for pair in pairs for i in pair})
    found = [finding("near-duplicates", f"{len(rows)}{looked} rows are nearly equal to another one", pairs[0])]
    across = [(i, j) for i, j in pairs if (placed[i] == "train") != (placed[j] == "train")]
    if across:
        trained = sorted({i if placed[i] == "train" else j for i, j in across})
        text = f"{len(trained)} training rows are nearly equal to one held out for judging, which flatters the metrics"
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
    for i, text in enumerate(content[:MOST_TEXTS]):
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
