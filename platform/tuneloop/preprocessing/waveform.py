"""`waveform`: one column of sounds to samples of a fixed length."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pydantic

from tuneloop.api import Encoded, Row, Tensor
from tuneloop.preprocessing.sound import SoundPreprocessor, SoundSettings

_SMALLEST = 1e-7
"""Added to the variance, as `transformers.Wav2Vec2FeatureExtractor` does."""


class WaveformSettings(SoundSettings):
    """What a base model says about the sounds it reads."""

    normalize: bool = pydantic.Field(True, description="Whether each sound is brought to mean 0 and variance 1.")


class WaveformPreprocessor(SoundPreprocessor):
    """Decodes, averages channels, resamples, and scales one sound a row.

    `input_values float32 [batch, samples]` with zeros behind the sound, and `heard int64 [batch, 1]`: of how many
    samples it is. All rows have one size.
    """

    name, file = "waveform", "waveform.json"
    Settings = WaveformSettings

    settings: WaveformSettings

    def shapes(self) -> tuple[Tensor, ...]:
        """Samples, and how many of them are the sound's."""
        most = round(self.settings.seconds * self.settings.rate)
        return Tensor("input_values", "float32", ("batch", most)), Tensor("heard", "int64", ("batch", 1))

    def encode(self, rows: Sequence[Row]) -> list[Encoded]:
        """One group: all rows have the same size."""
        most = int(self.tensors[0].shape[1])
        values = np.zeros((len(rows), most), dtype=np.float32)
        heard = np.zeros((len(rows), 1), dtype=np.int64)
        for position, row in enumerate(rows):
            samples = self.samples(row, most)
            if self.settings.normalize:
                samples = (samples - samples.mean()) / np.sqrt(samples.var() + _SMALLEST)
            values[position, : len(samples)] = samples
            heard[position, 0] = len(samples)
        return [Encoded(tuple(range(len(rows))), {"input_values": values, "heard": heard})]
