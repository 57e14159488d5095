"""Transform `audio-augment`."""

from __future__ import annotations

import base64
import binascii
import hashlib
import io
from typing import TYPE_CHECKING, Any

import numpy as np
import pydantic
from numpy.typing import NDArray

from tuneloop.api import Augmentation, DataError, MissingExtraError

if TYPE_CHECKING:
    from datasets import Dataset


class AudioAugmentOptions(pydantic.BaseModel):
    """Options of transform `audio-augment`."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    column: str = pydantic.Field("audio", min_length=1, description="The column of base64 sound files.")
    copies: int = pydantic.Field(1, ge=1, le=100, description="Changed sounds made of each training row.")
    noise: float | None = pydantic.Field(
        20.0, ge=-10, le=100, description="White noise so many decibels below the sound, or up to 20 less; null: none."
    )
    shift: float = pydantic.Field(
        0.1, ge=0, lt=1, description="Move the sound by up to this share of its length; silence fills the gap."
    )
    speed: float = pydantic.Field(
        0.1, ge=0, lt=0.9, description="Play up to this share faster or slower, so higher or deeper too."
    )
    seed: int = pydantic.Field(0, ge=0, description="Another seed, other changes.")


class AudioAugment(Augmentation):
    """Training sounds once more: with noise, moved in time, and at another speed."""

    name = "audio-augment"
    Options = AudioAugmentOptions

    options: AudioAugmentOptions

    def apply(self, rows: Dataset) -> Dataset:
        """The rows, then their changed copies as WAV files; they depend on the sounds and the seed alone.

        Raises:
            DataError: The column is absent, or holds something else than a sound file; names the row.
            MissingExtraError: `soundfile` is not installed.
        """
        from datasets import concatenate_datasets

        column = self.options.column
        if column not in rows.column_names:
            raise DataError(f"{self.name}: there is no column {column!r}; there are: {', '.join(rows.column_names)}")
        made = [
            rows.map(self._changed, with_indices=True, fn_kwargs={"copy": copy}, features=rows.features, desc=self.name)
            for copy in range(self.options.copies)
        ]
        return concatenate_datasets([rows, *made])

    def _changed(self, row: dict[str, Any], place: int, copy: int) -> dict[str, Any]:
        value = row[self.options.column]
        if value is None:
            return {}
        if not isinstance(value, str):
            raise DataError(f"{self.name}: row {place} holds {type(value).__name__}, which is no base64 of a sound")
        try:
            samples, rate = _read(base64.b64decode(value, validate=True))
        except (binascii.Error, ValueError, RuntimeError) as error:
            raise DataError(
                f"{self.name}: row {place} of column {self.options.column!r} is no sound: {error}"
            ) from error
        key = f"{self.options.seed}:{copy}:".encode() + hashlib.sha256(value.encode()).digest()
        chance = np.random.default_rng(list(hashlib.sha256(key).digest()))
        return {self.options.column: base64.b64encode(_write(self._sound(samples, chance), rate)).decode("ascii")}

    def _sound(self, samples: NDArray[np.float32], chance: np.random.Generator) -> NDArray[np.float32]:
        options = self.options
        if options.speed and len(samples) > 1:
            samples = _faster(samples, 1 + chance.uniform(-options.speed, options.speed))
        if options.shift:
            samples = _moved(samples, round(chance.uniform(-options.shift, options.shift) * len(samples)))
        if options.noise is not None:
            samples = _noisy(samples, chance.uniform(options.noise - 20, options.noise), chance)
        # Louder than full scale would be cut off by whoever reads it.
        return samples / max(1.0, float(np.abs(samples).max(initial=0.0)))


def _faster(samples: NDArray[np.float32], factor: float) -> NDArray[np.float32]:
    """Linear interpolation at other times."""
    times = np.arange(0, len(samples) - 1, factor)
    found: NDArray[np.float32] = np.interp(times, np.arange(len(samples)), samples).astype(np.float32)
    return found


def _moved(samples: NDArray[np.float32], by: int) -> NDArray[np.float32]:
    silence = np.zeros(abs(by), dtype=np.float32)
    kept = len(samples) - abs(by)
    return np.concatenate([silence, samples[:kept]] if by > 0 else [samples[abs(by) :], silence])


def _noisy(samples: NDArray[np.float32], decibels: float, chance: np.random.Generator) -> NDArray[np.float32]:
    power = float(np.mean(np.square(samples, dtype=np.float64))) if len(samples) else 0.0
    noise = chance.normal(0.0, (power * 10 ** (-decibels / 10)) ** 0.5, len(samples))
    return (samples + noise).astype(np.float32)


def _read(content: bytes) -> tuple[NDArray[np.float32], int]:
    """Samples `float32 [n]` of the mean channel, and how many there are a second."""
    samples, rate = _soundfile().read(io.BytesIO(content), dtype="float32", always_2d=True)
    return samples.mean(axis=1, dtype=np.float32), int(rate)


def _write(samples: NDArray[np.float32], rate: int) -> bytes:
    stream = io.BytesIO()
    _soundfile().write(stream, samples, rate, format="WAV", subtype="FLOAT")
    return stream.getvalue()


def _soundfile() -> Any:
    try:
        import soundfile
    except ImportError as error:
        raise MissingExtraError("transform 'audio-augment'", error.name or "soundfile", "audio") from error
    return soundfile
