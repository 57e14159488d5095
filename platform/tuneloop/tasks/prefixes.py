"""The most probable text of frames, summed over all ways to say it: prefix beam search, without a language model.

Own code, as no library fits beside what is here: `pyctcdecode` 0.5 demands NumPy before 2, and `fast-ctc-decode` does
not tell how probable what it found is.
"""

from __future__ import annotations

import heapq
import math

import numpy as np
from numpy.typing import NDArray

LEAST = 1e-5
"""A character less probable than this in a frame does not begin there: of most frames one or two are left."""

_Key = tuple[int, int]
"""A text that is a known one and a character more; the known one itself with the character 0."""


def most_probable(logits: NDArray[np.floating], beams: int, least: float = LEAST) -> tuple[list[int], float]:
    """The outputs of the most probable text, and the logarithm of its probability.

    A. Graves et al., "Connectionist Temporal Classification", ICML 2006, section 3.2; A. Hannun et al., "First-Pass
    Large Vocabulary Continuous Speech Recognition using Bi-Directional Recurrent DNNs", 2014, algorithm 1, without its
    language model.

    Args:
        logits: `[frames, outputs]`, at least one frame; output 0 is the blank.
        beams: How many texts are followed at once. With fewer than there are texts, the one found need not be the most
            probable one, and what is told of its probability may be too low, never too high.
        least: The least probability of a character in a frame that is followed.
    """
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    frames = np.exp(shifted)
    frames /= frames.sum(axis=1, keepdims=True)
    before, ends = [-1], [0]
    longer: dict[_Key, int] = {}
    # Text to the probabilities that it was said so far and a blank, or its last character, came last.
    alive: dict[int, tuple[float, float]] = {0: (1.0, 0.0)}
    scale = 0.0
    for frame in frames:
        said = frame.tolist()
        likely = [place for place in (np.flatnonzero(frame >= least)).tolist() if place and said[place] > 0]
        found: dict[_Key, list[float]] = {}
        for text, (paused, spoken) in alive.items():
            both, last = paused + spoken, ends[text]
            here = found.setdefault((text, 0), [0.0, 0.0])
            here[0] += both * said[0]
            here[1] += spoken * said[last] if last else 0.0
            for place in likely:
                # The last character again is a new one only behind a blank.
                gained = (paused if place == last else both) * said[place]
                if gained > 0:
                    key = (text, place)
                    known = longer.get(key)
                    found.setdefault(key if known is None else (known, 0), [0.0, 0.0])[1] += gained
        kept = heapq.nlargest(beams, found.items(), key=lambda one: one[1][0] + one[1][1])
        # Only quotients matter; products of many frames would vanish.
        total = sum(paused + spoken for _, (paused, spoken) in kept)
        scale += math.log(total)
        alive = {}
        for key, (paused, spoken) in kept:
            text = key[0]
            if key[1]:
                text = longer[key] = len(ends)
                before.append(key[0])
                ends.append(key[1])
            alive[text] = (paused / total, spoken / total)
    text, (paused, spoken) = max(alive.items(), key=lambda one: sum(one[1]))
    score = scale + math.log(paused + spoken)
    outputs = []
    while text:
        outputs.append(ends[text])
        text = before[text]
    return outputs[::-1], min(score, 0.0)
