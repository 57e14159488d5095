"""Sound files in memory to samples, and back: WAV with NumPy, other formats with soundfile where it is installed."""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
_MOST_CHANNELS = 32


class SoundError(ValueError):
    """Bytes are no sound that can be read."""


@dataclass(frozen=True, slots=True)
class Sound:
    """Samples `float32 [n]` of one channel, -1 to 1, and how many there are a second."""

    samples: NDArray[np.float32]
    rate: int


def read_sound(content: bytes, seconds: float) -> Sound:
    """A WAV file, or one of another format that soundfile reads (FLAC, OGG, MP3); channels are averaged.

    Args:
        content: The file's bytes.
        seconds: How long it may be: a small file can unpack to a very long sound.

    Raises:
        SoundError: It cannot be read, or is longer.
    """
    wave = content[:4] == b"RIFF" and content[8:12] == b"WAVE"
    samples, rate = _read_wave(content, seconds) if wave else _read_other(content, seconds)
    if not len(samples):
        raise SoundError("holds no sample")
    mono = samples.mean(axis=1, dtype=np.float32)
    if not np.isfinite(mono).all():
        raise SoundError("holds a sample that is not finite")
    return Sound(mono, rate)


def write_wave(samples: NDArray[np.float32], rate: int) -> bytes:
    """A WAV file of 32-bit floats: nothing is lost."""
    data = np.ascontiguousarray(samples, dtype="<f4").tobytes()
    head = struct.pack("<4sIHHIIHH", b"fmt ", 16, _FLOAT, 1, rate, rate * 4, 4, 32)
    body = b"WAVE" + head + struct.pack("<4sI", b"data", len(data)) + data
    return b"RIFF" + struct.pack("<I", len(body)) + body


def _read_wave(content: bytes, seconds: float) -> tuple[NDArray[np.float32], int]:
    layout: tuple[int, int, int, int] | None = None
    place = 12
    while place + 8 <= len(content):
        name, size = struct.unpack_from("<4sI", content, place)
        body = content[place + 8 : place + 8 + size]
        if name == b"fmt ":
            layout = _layout(body)
        elif name == b"data":
            if layout is None:
                raise SoundError("is a WAV file whose samples come before their format")
            kind, channels, rate, bits = layout
            _check_length(len(body) // (channels * bits // 8), rate, seconds)
            return _samples(body, kind, bits, channels), rate
        # Chunks begin at even places.
        place += 8 + size + size % 2
    raise SoundError("is a WAV file without samples")


def _layout(body: bytes) -> tuple[int, int, int, int]:
    """Kind, channels, rate and bits."""
    if len(body) < 16:
        raise SoundError("is a WAV file with a broken format")
    kind, channels, rate, _, _, bits = struct.unpack_from("<HHIIHH", body)
    if kind == _EXTENSIBLE and len(body) >= 26:
        (kind,) = struct.unpack_from("<H", body, 24)
    fits = (kind == _PCM and bits in (8, 16, 24, 32)) or (kind == _FLOAT and bits in (32, 64))
    if not fits or not 0 < channels <= _MOST_CHANNELS or not rate:
        raise SoundError(f"is a WAV file of format {kind} with {bits} bits and {channels} channels, which is not read")
    return kind, channels, rate, bits


def _samples(body: bytes, kind: int, bits: int, channels: int) -> NDArray[np.float32]:
    """`float32 [n, channels]`; bytes of half a sample at the end are left out."""
    width = channels * bits // 8
    body = body[: len(body) // width * width]
    if kind == _FLOAT:
        values = np.frombuffer(body, dtype=f"<f{bits // 8}").astype(np.float32)
    elif bits == 8:
        values = (np.frombuffer(body, dtype=np.uint8).astype(np.float32) - np.float32(128)) * np.float32(2**-7)
    elif bits == 24:
        parts = np.frombuffer(body, dtype=np.uint8).reshape(-1, 3).astype(np.int32)
        whole = parts[:, 0] | parts[:, 1] << 8 | parts[:, 2] << 16
        values = ((whole ^ 0x800000) - 0x800000).astype(np.float32) * np.float32(2**-23)
    else:
        values = np.frombuffer(body, dtype=f"<i{bits // 8}").astype(np.float32) * np.float32(2.0 ** (1 - bits))
    return values.reshape(-1, channels)


def _read_other(content: bytes, seconds: float) -> tuple[NDArray[np.float32], int]:
    try:
        import soundfile
    except ImportError as error:
        raise SoundError("is no WAV file; other formats need: pip install 'tuneloop[audio]'") from error
    try:
        with soundfile.SoundFile(io.BytesIO(content)) as file:
            if not 0 < file.channels <= _MOST_CHANNELS:
                raise SoundError(f"has {file.channels} channels")
            rate = int(file.samplerate)
            _check_length(file.frames, rate, seconds)
            # A header may say less than there is.
            samples = file.read(int(seconds * rate) + 1, dtype="float32", always_2d=True)
    except (soundfile.LibsndfileError, RuntimeError, ValueError) as error:
        if isinstance(error, SoundError):
            raise
        raise SoundError("is no sound file that can be read (WAV, FLAC, OGG, MP3)") from error
    _check_length(len(samples), rate, seconds)
    return samples, rate


def _check_length(samples: int, rate: int, seconds: float) -> None:
    if samples > seconds * rate:
        raise SoundError(f"is {samples / rate:.2f} s long; at most {seconds:g} s are read")
