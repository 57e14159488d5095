"""Samples to a log-mel spectrogram, as Whisper was trained with it. NumPy only."""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

_FLOOR = 1e-10
_RANGE = 8.0
"""Powers of ten below the loudest value at which quieter ones are cut."""


def log_mel(
    samples: NDArray[np.float32], *, rate: int, window: int, hop: int, bands: int, frames: int
) -> NDArray[np.float32]:
    """The spectrogram `float32 [bands, frames]` of the samples, with silence behind them.

    As `transformers.WhisperFeatureExtractor` (Radford et al. 2022, "Robust Speech Recognition via Large-Scale Weak
    Supervision", section 2.2): power in mel bands, base-10 logarithm, cut 8 below the largest value, scaled to about
    -1 to 1.

    Args:
        samples: `float32 [n]`, -1 to 1; at most `frames * hop`.
        rate: Samples a second.
        window: Samples of one Fourier transform.
        hop: Samples from one frame to the next.
        bands: Mel bands.
        frames: How many frames there shall be.
    """
    padded = np.zeros(frames * hop, dtype=np.float64)
    padded[: len(samples)] = samples
    padded = np.pad(padded, window // 2, mode="reflect")
    # Frames of nothing but silence have no power: they need no transform.
    heard = min(frames, -(-(len(samples) + window // 2) // hop) + 1)
    view = np.lib.stride_tricks.sliding_window_view(padded, window)[::hop][:heard]
    power = np.abs(np.fft.rfft(view * _hann(window), axis=1)) ** 2
    bands_power = np.full((frames, bands), _FLOOR)
    bands_power[:heard] = np.maximum(power @ mel_filters(rate, window, bands), _FLOOR)
    levels = np.log10(bands_power)
    levels = np.maximum(levels, levels.max() - _RANGE)
    scaled: NDArray[np.float32] = ((levels.T + 4.0) / 4.0).astype(np.float32)
    return np.ascontiguousarray(scaled)


@functools.cache
def mel_filters(rate: int, window: int, bands: int) -> NDArray[np.float64]:
    """Weights `float64 [window // 2 + 1, bands]` of triangular filters of equal area.

    Mel scale and normalisation of Slaney's Auditory Toolbox (1998): linear below 1 kHz, logarithmic above.
    """
    edges = _hertz(np.linspace(_mel(0.0), _mel(rate / 2), bands + 2))
    bins = np.linspace(0.0, rate / 2, window // 2 + 1)
    slopes = edges[None, :] - bins[:, None]
    rising = -slopes[:, :-2] / np.diff(edges)[:-1]
    falling = slopes[:, 2:] / np.diff(edges)[1:]
    filters: NDArray[np.float64] = np.maximum(0.0, np.minimum(rising, falling)) * (2.0 / (edges[2:] - edges[:-2]))
    return filters


_LINEAR = 200.0 / 3
_BREAK_HERTZ, _BREAK_MEL = 1000.0, 15.0
_LOG_STEP = np.log(6.4) / 27.0


def _mel(hertz: float) -> float:
    if hertz < _BREAK_HERTZ:
        return hertz / _LINEAR
    return float(_BREAK_MEL + np.log(hertz / _BREAK_HERTZ) / _LOG_STEP)


def _hertz(mels: NDArray[np.float64]) -> NDArray[np.float64]:
    above: NDArray[np.float64] = _BREAK_HERTZ * np.exp(_LOG_STEP * (mels - _BREAK_MEL))
    return np.where(mels < _BREAK_MEL, mels * _LINEAR, above)


@functools.cache
def _hann(size: int) -> NDArray[np.float64]:
    """The periodic Hann window."""
    window: NDArray[np.float64] = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(size) / size)
    return window
