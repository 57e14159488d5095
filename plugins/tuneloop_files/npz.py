"""Data source `npz`."""

from __future__ import annotations

import base64
import io
import itertools
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pydantic

from tuneloop.api import DataError
from tuneloop_files.png import png
from tuneloop_files.source import FileOptions, FileSource


class NpzSounds(pydantic.BaseModel):
    """Sounds that stand one behind the other in one array."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    samples: str = pydantic.Field(description="The array of 16-bit samples of all sounds.")
    offsets: str = pydantic.Field(description="Where each sound begins in it, and at last where the last one ends.")
    rate: int | str = pydantic.Field(description="Samples a second, or the array that holds this one number.")
    column: str = pydantic.Field("audio", description="The column they become: base64 of a WAV file.")


class NpzOptions(FileOptions):
    """Options of data source `npz`."""

    arrays: tuple[str, ...] = pydantic.Field(
        (), description="The arrays that become columns; none named: all whose length is the number of rows."
    )
    names: Mapping[str, str] = pydantic.Field(
        {}, description="Column to the array of texts that its whole numbers count: `{speaker: speakers}`."
    )
    where: Mapping[str, tuple[str | int, ...]] = pydantic.Field(
        {}, description="Column to the values whose rows are read: `{split: [train]}`."
    )
    images: Mapping[str, str] = pydantic.Field(
        {},
        description="Column to the array of pictures it is made of, `uint8 [rows, height, width]`, or with colours as "
        "a fourth axis: `{image: x_train}`; base64 of PNG files.",
    )
    sounds: NpzSounds | None = pydantic.Field(None, description="How sounds are stored, where there are any.")


class Npz(FileSource):
    """NumPy archives: arrays of one length are columns, rows of an array of two axes are lists. Never runs a pickle."""

    name = "npz"
    Options = NpzOptions

    def read(self, file: Path) -> Any:
        """One file.

        Raises:
            DataError: It is no archive, or its arrays do not fit the options.
        """
        import pyarrow

        arrays = _open(file)
        columns = self._columns(file, arrays)
        for name, texts in self.options.names.items():
            columns[name] = _named(file, arrays, columns, name, texts)
        keep = None
        for name, wanted in self.options.where.items():
            if name not in columns:
                raise DataError(f"{file}: data.where names {name!r}; the columns are: {', '.join(columns)}")
            allowed = {str(value) for value in wanted}
            mine = [str(value) in allowed for value in columns[name]]
            keep = mine if keep is None else [a and b for a, b in zip(keep, mine, strict=True)]
        if keep is not None:
            columns = {
                name: [value for value, kept in zip(values, keep, strict=True) if kept]
                for name, values in columns.items()
            }
        return pyarrow.table({name: pyarrow.array(values) for name, values in columns.items()})

    def _columns(self, file: Path, arrays: Mapping[str, Any]) -> dict[str, list[Any]]:
        sounds = self.options.sounds
        found: dict[str, list[Any]] = {}
        if sounds is not None:
            found[sounds.column] = _sounds(file, arrays, sounds)
        for column, name in self.options.images.items():
            found[column] = _images(file, _demand(file, arrays, name), name)
        for name in self.options.arrays:
            _demand(file, arrays, name)
        rows = len(next(iter(found.values()))) if found else max((len(a) for a in arrays.values() if a.ndim), default=0)
        chosen = self.options.arrays or [
            name
            for name, array in arrays.items()
            if array.ndim and len(array) == rows and name not in self.options.images.values()
        ]
        for name in chosen:
            if not arrays[name].ndim or len(arrays[name]) != rows:
                raise DataError(f"{file}: array {name!r} has shape {arrays[name].shape}; there are {rows} rows")
            found[name] = arrays[name].tolist()
        if not found:
            raise DataError(f"{file} holds no array that could be a column; it has: {', '.join(arrays)}")
        return found


def _open(file: Path) -> dict[str, Any]:
    import numpy as np

    try:
        archive = np.load(file, allow_pickle=False)
        if not hasattr(archive, "files"):
            raise DataError(f"{file} holds one array (.npy); expected an archive (.npz)")
        with archive:
            arrays = {name: archive[name] for name in archive.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(f"{file} cannot be read as a NumPy archive: {error}") from error
    return arrays


def _demand(file: Path, arrays: Mapping[str, Any], name: str) -> Any:
    if name not in arrays:
        raise DataError(f"{file} has no array {name!r}; it has: {', '.join(arrays)}")
    return arrays[name]


def _named(file: Path, arrays: Mapping[str, Any], columns: Mapping[str, Any], name: str, texts: str) -> list[str]:
    known = _demand(file, arrays, texts).tolist()
    if name not in columns:
        raise DataError(f"{file}: data.names names {name!r}; the columns are: {', '.join(columns)}")
    try:
        return [str(known[value]) for value in columns[name]]
    except (IndexError, TypeError) as error:
        raise DataError(f"{file}: column {name!r} does not count the {len(known)} texts of {texts!r}") from error


def _images(file: Path, pictures: Any, name: str) -> list[str]:
    flat = pictures.ndim == 3 or (pictures.ndim == 4 and pictures.shape[3] == 3)
    if not flat or pictures.dtype != "uint8" or 0 in pictures.shape[1:]:
        raise DataError(
            f"{file}: array {name!r} is {pictures.dtype} {pictures.shape}; expected uint8 [rows, height, width] or "
            "[rows, height, width, 3]"
        )
    return [base64.b64encode(png(picture)).decode("ascii") for picture in pictures]


def _sounds(file: Path, arrays: Mapping[str, Any], options: NpzSounds) -> list[str]:
    samples, offsets = _demand(file, arrays, options.samples), _demand(file, arrays, options.offsets)
    rate = int(_demand(file, arrays, options.rate)) if isinstance(options.rate, str) else options.rate
    if samples.ndim != 1 or samples.dtype != "int16":
        raise DataError(
            f"{file}: array {options.samples!r} is {samples.dtype} {samples.shape}; expected int16 of one axis"
        )
    ends = offsets.tolist() if offsets.ndim == 1 else []
    if len(ends) < 2 or ends != sorted(ends) or ends[0] < 0 or ends[-1] > len(samples):
        raise DataError(f"{file}: array {options.offsets!r} does not rise from 0 to {len(samples)}")
    return [
        base64.b64encode(wave(samples[start:end].astype("<i2").tobytes(), rate)).decode("ascii")
        for start, end in itertools.pairwise(ends)
    ]


def wave(data: bytes, rate: int) -> bytes:
    """A WAV file of one channel of 16-bit samples."""
    file = io.BytesIO()
    head = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, rate, rate * 2, 2, 16)
    body = b"WAVE" + head + struct.pack("<4sI", b"data", len(data)) + data
    file.write(b"RIFF" + struct.pack("<I", len(body)) + body)
    return file.getvalue()
