"""What preprocessors of sounds share: one column that holds a sound, checked and decoded once."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import pydantic
from numpy.typing import NDArray

from tuneloop.api import Column, Columns, Preprocessor, RequestError, Row, Tensor
from tuneloop.preprocessing.clip import Clip
from tuneloop.preprocessing.resample import resample
from tuneloop.preprocessing.rows import check_columns
from tuneloop.preprocessing.wave_file import SoundError

if TYPE_CHECKING:
    from datasets import Dataset


class SoundSettings(pydantic.BaseModel):
    """What a base model says about the sounds it reads."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    seconds: float = pydantic.Field(30.0, gt=0, le=60, description="The longest sound; silence fills shorter ones.")
    rate: int = pydantic.Field(16_000, ge=1_000, description="Samples a second that the model was trained with.")
    column: str = pydantic.Field("audio", description="The request column that holds the sound.")


class SoundPreprocessor(Preprocessor):
    """Decodes and resamples one sound a row; a class below says what the model reads of it."""

    Settings: ClassVar[type[SoundSettings]]
    """Of the class."""
    file: ClassVar[str]
    """Where they are saved."""

    def __init__(self, settings: Any) -> None:
        super().__init__()
        self.settings = settings
        self.columns = (Column(settings.column, "audio"),)
        self.tensors = self.shapes()

    @abstractmethod
    def shapes(self) -> tuple[Tensor, ...]:
        """The model inputs that `encode` makes with these settings."""

    @classmethod
    def fit(cls, options: Mapping[str, Any], columns: Columns, rows: Dataset) -> Self:  # noqa: ARG003
        """The settings are the base model's; nothing is learned from the rows."""
        return cls(cls.Settings(**options, column=columns.inputs["audio"]))

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

    def samples(self, row: Row, most: int) -> NDArray[np.float32]:
        """The samples of a checked row at the model's rate, `float32 [n]`, at most so many."""
        sound = row[self.settings.column].sound
        found: NDArray[np.float32] = resample(sound.samples, sound.rate, self.settings.rate)[:most]
        return found

    def save(self, folder: Path) -> None:
        """Write the settings."""
        (folder / self.file).write_text(self.settings.model_dump_json(indent=1) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """The inverse of `save`."""
        return cls(cls.Settings.model_validate_json((folder / cls.file).read_bytes()))
