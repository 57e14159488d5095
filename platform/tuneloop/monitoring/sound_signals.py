"""Signals of models that read sounds: how long, how loud, and recorded at what rate."""

# `create` has the interface's arguments, of which each signal needs only some.
# ruff: noqa: ARG003
from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuneloop.api import Column, Signal, SignalBatch, Tensor
from tuneloop.preprocessing.wave_file import Sound

_SILENCE = 1e-6
"""Of full scale: the level of digital silence would be infinitely low."""


class SoundSignal(Signal):
    """A number read from the sound of a row."""

    kind = "number"

    @classmethod
    def create(
        cls, columns: Sequence[Column], tensors: Sequence[Tensor], output_names: Sequence[str], embedding_size: int
    ) -> Sequence[Signal]:
        """One signal a column of sounds."""
        return [cls(column.name) for column in columns if column.kind == "audio"]

    def __init__(self, column: str) -> None:
        super().__init__()
        self.column, self.label = column, f"{self.name}:{column}"

    def read(self, batch: SignalBatch) -> NDArray[Any]:
        """`float64 [n]`; NaN where there is no sound."""
        sounds = (getattr(row.get(self.column), "sound", None) for row in batch.rows)
        return np.array([np.nan if sound is None else self.measure(sound) for sound in sounds], dtype=np.float64)

    @abstractmethod
    def measure(self, sound: Sound) -> float:
        """The number of one sound."""


class SoundSeconds(SoundSignal):
    """How long a sound is, in seconds."""

    name = "sound-seconds"

    def measure(self, sound: Sound) -> float:
        """Samples by rate."""
        return len(sound.samples) / sound.rate


class SoundLevel(SoundSignal):
    """How loud a sound is: its root mean square in decibels of full scale, at most 0."""

    name = "sound-level"

    def measure(self, sound: Sound) -> float:
        """`20 log10(rms)`."""
        power = float(np.mean(np.square(sound.samples, dtype=np.float64)))
        return 10.0 * float(np.log10(max(power, _SILENCE**2)))


class SoundRate(SoundSignal):
    """How many samples a second a sound was sent with."""

    name = "sound-rate"

    def measure(self, sound: Sound) -> float:
        """As the file says."""
        return float(sound.rate)
