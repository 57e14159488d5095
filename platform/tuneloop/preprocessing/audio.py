"""`audio`: one column of sounds to log-mel spectrograms of a fixed length."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pydantic

from tuneloop.api import Encoded, Row, Tensor
from tuneloop.preprocessing.log_mel import log_mel
from tuneloop.preprocessing.sound import SoundPreprocessor, SoundSettings


class AudioSettings(SoundSettings):
    """What a base model says about the sounds it reads."""

    window: int = pydantic.Field(400, ge=16, description="Samples of one Fourier transform.")
    hop: int = pydantic.Field(160, ge=1, description="Samples from one frame to the next.")
    bands: int = pydantic.Field(80, ge=1, description="Mel bands.")
    stride: int = pydantic.Field(2, ge=1, description="Frames that the model makes one place of.")

    @property
    def places(self) -> int:
        """Places of a whole sound."""
        return round(self.seconds * self.rate / self.hop / self.stride)


class AudioPreprocessor(SoundPreprocessor):
    """Decodes, averages channels, resamples, and computes the log-mel spectrogram of one sound a row.

    `input_features float32 [batch, bands, frames]`, and `heard float32 [batch, places]`: 1 where the sound is, 0 where
    silence was put behind it. All rows have one size.
    """

    name, file = "audio", "audio.json"
    Settings = AudioSettings

    settings: AudioSettings

    @property
    def frames(self) -> int:
        """Frames of a whole sound."""
        return self.settings.places * self.settings.stride

    def shapes(self) -> tuple[Tensor, ...]:
        """The spectrogram, and which of its places hold sound."""
        settings = self.settings
        return (
            Tensor("input_features", "float32", ("batch", settings.bands, self.frames)),
            Tensor("heard", "float32", ("batch", settings.places)),
        )

    def encode(self, rows: Sequence[Row]) -> list[Encoded]:
        """One group: all rows have the same size."""
        settings = self.settings
        features = np.empty((len(rows), settings.bands, self.frames), dtype=np.float32)
        heard = np.zeros((len(rows), settings.places), dtype=np.float32)
        for position, row in enumerate(rows):
            samples = self.samples(row, self.frames * settings.hop)
            features[position] = log_mel(
                samples,
                rate=settings.rate,
                window=settings.window,
                hop=settings.hop,
                bands=settings.bands,
                frames=self.frames,
            )
            heard[position, : max(1, -(-len(samples) // (settings.hop * settings.stride)))] = 1.0
        return [Encoded(tuple(range(len(rows))), {"input_features": features, "heard": heard})]
