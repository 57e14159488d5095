"""`audio`: one column of sounds to log-mel spectrograms of a fixed length."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pydantic

from tuneloop.api import Column, Columns, Encoded, Preprocessor, RequestError, Row, Tensor
from tuneloop.preprocessing.clip import Clip
from tuneloop.preprocessing.log_mel import log_mel
from tuneloop.preprocessing.resample import resample
from tuneloop.preprocessing.rows import check_columns
from tuneloop.preprocessing.wave_file import SoundError

if TYPE_CHECKING:
    from datasets import Dataset

_SETTINGS = "audio.json"


class AudioSettings(pydantic.BaseModel):
    """What a base model says about the sounds it reads."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    seconds: float = pydantic.Field(30.0, gt=0, le=60, description="The longest sound; silence fills shorter ones.")
    rate: int = pydantic.Field(16_000, ge=1_000, description="Samples a second that the model was trained with.")
    window: int = pydantic.Field(400, ge=16, description="Samples of one Fourier transform.")
    hop: int = pydantic.Field(160, ge=1, description="Samples from one frame to the next.")
    bands: int = pydantic.Field(80, ge=1, description="Mel bands.")
    stride: int = pydantic.Field(2, ge=1, description="Frames that the model makes one place of.")
    column: str = pydantic.Field("audio", description="The request column that holds the sound.")

    @property
    def places(self) -> int:
        """Places of a whole sound."""
        return round(self.seconds * self.rate / self.hop / self.stride)


class AudioPreprocessor(Preprocessor):
    """Decodes, averages channels, resamples, and computes the log-mel spectrogram of one sound a row.

    `input_features float32 [batch, bands, frames]`, and `heard float32 [batch, places]`: 1 where the sound is, 0 where
    silence was put behind it. All rows have one size.
    """

    name = "audio"

    def __init__(self, settings: AudioSettings) -> None:
        super().__init__()
        self.settings = settings
        self.columns = (Column(settings.column, "audio"),)
        self.frames = settings.places * settings.stride
        self.tensors = (
            Tensor("input_features", "float32", ("batch", settings.bands, self.frames)),
            Tensor("heard", "float32", ("batch", settings.places)),
        )

    @classmethod
    def fit(cls, options: Mapping[str, Any], columns: Columns, rows: Dataset) -> Self:  # noqa: ARG003
        """The spectrogram is the base model's; nothing is learned from the rows."""
        return cls(AudioSettings(**options, column=columns.inputs["audio"]))

    def check(self, rows: Sequence[Row]) -> list[Row]:
        """Every row has the one column: a sound that can be read and is not too long; it becomes a `Clip`."""
        name = self.settings.column
        checked: list[Row] = []
        for position, row in enumerate(rows):
            check_columns(row, self.columns, position)
            try:
                checked.append({name: Clip.read(row[name], self.settings.seconds)})
            except SoundError as error:
                raise RequestError(str(error), field=name, row=position) from error
        return checked

    def encode(self, rows: Sequence[Row]) -> list[Encoded]:
        """One group: all rows have the same size."""
        settings = self.settings
        features = np.empty((len(rows), settings.bands, self.frames), dtype=np.float32)
        heard = np.zeros((len(rows), settings.places), dtype=np.float32)
        for position, row in enumerate(rows):
            sound = row[settings.column].sound
            samples = resample(sound.samples, sound.rate, settings.rate)[: self.frames * settings.hop]
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

    def save(self, folder: Path) -> None:
        """Write the settings."""
        (folder / _SETTINGS).write_text(self.settings.model_dump_json(indent=1) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """The inverse of `save`."""
        return cls(AudioSettings.model_validate_json((folder / _SETTINGS).read_bytes()))
