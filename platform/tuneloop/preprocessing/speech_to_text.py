"""`speech-to-text`: a sound as a log-mel spectrogram, and where it is known what is said in it as token ids."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import pydantic

from tuneloop.api import Columns, Encoded, Row
from tuneloop.preprocessing.audio import AudioPreprocessor, AudioSettings
from tuneloop.preprocessing.source import SourcePreprocessor, SourceSettings
from tuneloop.preprocessing.writing import COMPLETION

if TYPE_CHECKING:
    from datasets import Dataset

_SETTINGS, _TARGET = "speech_to_text.json", "target_tokenizer.json"
_FEATURES = "input_features"


class SpeechToTextSettings(SourceSettings):
    """What a base model says about the sounds it reads and the texts it writes."""

    source: AudioSettings = pydantic.Field(description="How the sound is read; its column is that of the requests.")


class SpeechToTextPreprocessor(SourcePreprocessor):
    """Decodes, resamples and transforms one sound column, as `audio` does, and tokenizes the right answers.

    `input_features float32 [batch, bands, frames]`: the model reads the silence behind a sound too.
    """

    name = "speech-to-text"
    settings: SpeechToTextSettings

    def __init__(self, settings: SpeechToTextSettings) -> None:
        self._audio = AudioPreprocessor(settings.source.model_copy(update={"column": settings.column}))
        tensors = [tensor for tensor in self._audio.tensors if tensor.name == _FEATURES]
        super().__init__(settings, self._audio.columns[0], tensors)

    @classmethod
    def fit(cls, options: Mapping[str, Any], columns: Columns, rows: Dataset) -> Self:  # noqa: ARG003
        """Spectrogram and tokenizer are the base model's; nothing is learned from the rows."""
        return cls(
            SpeechToTextSettings(**options, column=columns.inputs["audio"], answers=columns.inputs.get(COMPLETION))
        )

    def check_sources(self, rows: Sequence[Row]) -> list[Row]:
        """Every row has the one column: a sound that can be read and is not too long."""
        return self._audio.check(rows)

    def encode_sources(self, rows: Sequence[Row]) -> list[Encoded]:
        """One group: all sounds have the same size."""
        return [
            replace(group, inputs={_FEATURES: group.inputs[_FEATURES]}) for group in self._audio.encode(rows) if rows
        ]

    def target(self, text: str) -> list[int]:
        """The tokens of a right answer, which begins with a space as the model was trained."""
        return super().target(f" {text.strip()}")

    def save(self, folder: Path) -> None:
        """Write the tokenizer and the settings."""
        settings = self.settings.model_dump(mode="json")
        (folder / _TARGET).write_text(settings["target"].pop("tokenizer"), encoding="utf-8")
        (folder / _SETTINGS).write_text(json.dumps(settings, indent=1) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """The inverse of `save`."""
        settings = pydantic.TypeAdapter(dict[str, Any]).validate_json((folder / _SETTINGS).read_bytes())
        settings["target"] = {**settings["target"], "tokenizer": (folder / _TARGET).read_text(encoding="utf-8")}
        return cls(SpeechToTextSettings(**settings))
