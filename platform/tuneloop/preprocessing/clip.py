"""A sound as requests and rows hold it: base64 of a sound file, a plain text to JSON and Arrow."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any, Self

import numpy as np

from tuneloop.preprocessing.wave_file import Sound, SoundError, read_sound, write_wave

LOWEST_RATE, HIGHEST_RATE = 2_000, 384_000
MOST_BYTES = 16 << 20


class Clip(str):
    """Base64 of a sound file that was decoded.

    Attributes:
        sound: Its samples and their rate.
    """

    __slots__ = ("sound",)
    sound: Sound

    @classmethod
    def read(cls, value: Any, seconds: float) -> Self:
        """A base64 text of a sound file; or samples with their rate: `{"array": [...], "sampling_rate": 16000}`.

        Raises:
            SoundError: It is neither, or longer than `seconds`.
        """
        if isinstance(value, cls):
            return value
        if isinstance(value, str):
            if len(value) > MOST_BYTES:
                raise SoundError(f"has {len(value)} characters; at most {MOST_BYTES} are read")
            try:
                content = base64.b64decode(value, validate=True)
            except (binascii.Error, ValueError) as error:
                raise SoundError("is not base64 of a sound file") from error
            clip = cls(value)
            clip.sound = read_sound(content, seconds)
        elif isinstance(value, Mapping):
            sound = _from_samples(value, seconds)
            clip = cls(base64.b64encode(write_wave(sound.samples, sound.rate)).decode("ascii"))
            clip.sound = sound
        else:
            raise SoundError("must be base64 of a sound file, or an object with array and sampling_rate")
        if not LOWEST_RATE <= clip.sound.rate <= HIGHEST_RATE:
            raise SoundError(f"has {clip.sound.rate} samples a second; {LOWEST_RATE} to {HIGHEST_RATE} are read")
        return clip


def _from_samples(value: Mapping[str, Any], seconds: float) -> Sound:
    if set(value) != {"array", "sampling_rate"}:
        raise SoundError("must be an object with array and sampling_rate, and nothing else")
    rate, array = value["sampling_rate"], value["array"]
    if isinstance(rate, bool) or not isinstance(rate, int) or not LOWEST_RATE <= rate <= HIGHEST_RATE:
        raise SoundError(f"needs a whole sampling_rate of {LOWEST_RATE} to {HIGHEST_RATE}")
    if not isinstance(array, list) or not array:
        raise SoundError("needs an array of samples")
    if len(array) > seconds * rate:
        raise SoundError(f"is {len(array) / rate:.2f} s long; at most {seconds:g} s are read")
    if not all(isinstance(sample, int | float) and not isinstance(sample, bool) for sample in array):
        raise SoundError("has a sample that is no number")
    with np.errstate(over="ignore"):
        try:
            samples = np.array(array, dtype=np.float64)
        except OverflowError as error:
            raise SoundError("has a sample that is no number from -1 to 1") from error
    if not np.isfinite(samples).all() or np.abs(samples).max() > 1.0:
        raise SoundError("has a sample that is no number from -1 to 1")
    return Sound(samples.astype(np.float32), rate)
