"""Sounds for the tests of this folder; a module beside them cannot be imported in importlib mode."""

from __future__ import annotations

import base64

import numpy as np
import pytest

from tuneloop.preprocessing.wave_file import write_wave


def _tone(seconds: float = 0.5, rate: int = 16_000, hertz: float = 440.0, seed: int = 0) -> np.ndarray:
    time = np.arange(int(seconds * rate)) / rate
    noise = np.random.default_rng(seed).normal(size=len(time)) * 0.02
    return (0.4 * np.sin(2 * np.pi * hertz * time) + noise).astype(np.float32)


@pytest.fixture(scope="session")
def tone():
    """A function that makes a tone with a little noise, `float32 [n]`."""
    return _tone


@pytest.fixture(scope="session")
def packed():
    """A function from samples and rate to base64 of a WAV file."""
    return lambda samples, rate=16_000: base64.b64encode(write_wave(samples, rate)).decode("ascii")
