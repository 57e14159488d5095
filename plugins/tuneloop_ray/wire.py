"""Items and answers as bytes between processes of the cluster: JSON, which runs no code when it is read."""

from __future__ import annotations

import base64
import datetime
import decimal
import json
import uuid
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from tuneloop.api import PluginError

_TAG = "$tuneloop"
"""An object with this key stands for a value that JSON lacks."""
_READ: dict[str, Callable[[Any], Any]] = {
    "bytes": lambda text: base64.b64decode(text, validate=True),
    "map": lambda pairs: {_read(key): _read(value) for key, value in pairs},
    "datetime": datetime.datetime.fromisoformat,
    "date": datetime.date.fromisoformat,
    "time": datetime.time.fromisoformat,
    "timedelta": lambda parts: datetime.timedelta(*parts),
    "decimal": decimal.Decimal,
    "uuid": uuid.UUID,
}


def pack(value: Any) -> bytes:
    """A value of plain types, as rows of files and answers have them, as bytes.

    Numbers, also those that are not finite, texts, bytes, times, exact decimals and keys of any plain type come back
    as they were; tuples come back as lists, NumPy's single values as Python's.

    Raises:
        PluginError: A value is of another type.
    """
    # Half a surrogate pair, which a row of JSON may hold, is kept as it is.
    return json.dumps(_plain(value), ensure_ascii=False).encode("utf-8", "surrogatepass")


def unpack(content: bytes) -> Any:
    """The value that `pack` was given."""
    return _read(json.loads(content.decode("utf-8", "surrogatepass")))


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, Mapping):
        if all(isinstance(key, str) for key in value) and _TAG not in value:
            return {key: _plain(item) for key, item in value.items()}
        return {_TAG: ["map", [[_plain(key), _plain(item)] for key, item in value.items()]]}
    if isinstance(value, np.generic):
        return _plain(value.item())
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return {_TAG: _tagged(value)}


def _tagged(value: Any) -> list[Any]:
    if isinstance(value, bytes | bytearray | memoryview):
        return ["bytes", base64.b64encode(value).decode()]
    # A moment is a date too.
    if isinstance(value, datetime.datetime):
        return ["datetime", value.isoformat()]
    if isinstance(value, datetime.date):
        return ["date", value.isoformat()]
    if isinstance(value, datetime.time):
        return ["time", value.isoformat()]
    if isinstance(value, datetime.timedelta):
        return ["timedelta", [value.days, value.seconds, value.microseconds]]
    if isinstance(value, decimal.Decimal):
        return ["decimal", str(value)]
    if isinstance(value, uuid.UUID):
        return ["uuid", value.hex]
    raise PluginError(
        f"a value of type {type(value).__name__} ({value!r:.40}) cannot travel to another process of a Ray cluster: "
        "items and answers are made of texts, numbers, bytes, times, lists and objects"
    )


def _read(value: Any) -> Any:
    if isinstance(value, list):
        return [_read(item) for item in value]
    if not isinstance(value, dict):
        return value
    if _TAG in value:
        kind, content = value[_TAG]
        return _READ[kind](content)
    return {key: _read(item) for key, item in value.items()}
