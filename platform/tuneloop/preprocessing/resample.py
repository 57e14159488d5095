"""Samples of one rate to another by a polyphase filter. NumPy only: servers have no scipy."""

from __future__ import annotations

import functools
import math

import numpy as np
from numpy.typing import NDArray

_ZEROS = 10
"""Zero crossings of the filter on each side, at the lower of both rates."""
_BETA = 5.0
"""Of the Kaiser window."""
_BLOCK = 1 << 14
"""Samples made at a time: the taps of all of a long clip would fill the memory."""


def resample(samples: NDArray[np.float32], rate: int, wanted: int) -> NDArray[np.float32]:
    """The samples at another rate, `float32 [ceil(n * wanted / rate)]`.

    A windowed sinc that cuts at half the lower rate, as `scipy.signal.resample_poly` with its default window.

    Args:
        samples: `float32 [n]`.
        rate: Samples a second of these.
        wanted: Samples a second of the result.
    """
    if rate == wanted or not len(samples):
        return samples
    common = math.gcd(rate, wanted)
    up, down = wanted // common, rate // common
    taps = _filter(up, down)
    half = len(taps) // 2
    count = -(-len(samples) * up // down)
    width = len(taps) // up + 1
    # Reads beyond both ends are of silence; so are the filter's own.
    heard = np.concatenate([np.zeros(width, np.float64), samples.astype(np.float64), np.zeros(width + 1, np.float64)])
    weights = np.concatenate([taps, np.zeros(up)])
    found = np.empty(count, dtype=np.float32)
    for start in range(0, count, _BLOCK):
        # On the grid of `up` points a sample: output k stands at k * down, sample i at i * up.
        centre = np.arange(start, min(start + _BLOCK, count)) * down
        first = -((half - centre) // up)
        sample = first[:, None] + np.arange(width)[None, :]
        tap = half + sample * up - centre[:, None]
        tap = np.where((tap >= 0) & (tap < len(taps)), tap, len(taps))
        sample = np.clip(sample + width, 0, len(heard) - 1)
        found[start : start + len(centre)] = (heard[sample] * weights[tap]).sum(axis=1)
    return found


@functools.lru_cache(maxsize=16)
def _filter(up: int, down: int) -> NDArray[np.float64]:
    """Taps `float64 [2 * 10 * max(up, down) + 1]` whose sum is `up`."""
    largest = max(up, down)
    half = _ZEROS * largest
    places = np.arange(-half, half + 1)
    taps: NDArray[np.float64] = np.sinc(places / largest) * np.kaiser(2 * half + 1, _BETA)
    taps *= up / taps.sum()
    return taps
