"""The best span of a text: from how likely an answer begins and ends at each of its tokens."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def best_span(logits: NDArray[Any], longest: int) -> tuple[int, int, float]:
    """The first and the last token of the most likely span, and its probability among all spans.

    Args:
        logits: Of beginning and of ending at each token, `float [tokens, 2]`, at least one token.
        longest: Tokens of a span, at most.
    """
    starts, ends = logits[:, 0].astype(np.float64), logits[:, 1].astype(np.float64)
    bands = [starts[: len(starts) - more] + ends[more:] for more in range(min(longest, len(starts)))]
    more = max(range(len(bands)), key=lambda band: float(bands[band].max()))
    first = int(bands[more].argmax())
    highest = float(bands[more][first])
    total = sum(float(np.exp(band - highest).sum()) for band in bands)
    return first, first + more, 1.0 / total
