"""Errors that are carried from one process to another as JSON values."""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from typing import Any

from tuneloop.api import errors
from tuneloop.api.errors import RunError, TuneloopError


def pack_error(error: BaseException) -> dict[str, Any]:
    """An error as JSON values: `type`, `text`, `traceback`, and whether it was raised `on_purpose`.

    `lost` is set where it only says that another process of a training is gone: torch's exchange tells that by errors
    of its own, or by a plain `RuntimeError`.
    """
    on_purpose = isinstance(error, TuneloopError)
    return {
        "type": type(error).__name__,
        "text": str(error),
        "traceback": "".join(traceback.format_exception(error)),
        "on_purpose": on_purpose,
        "lost": type(error) is RuntimeError or type(error).__module__.startswith("torch"),
    }


def unpack_error(packed: Mapping[str, Any], where: str) -> TuneloopError:
    """The error again where it was raised on purpose, else a `RunError` that names it; the traceback is its cause.

    Args:
        packed: As `pack_error` gives it.
        where: What failed, as a sentence begins with it.
    """
    cls = getattr(errors, packed["type"], None) if packed["on_purpose"] else None
    if isinstance(cls, type) and issubclass(cls, TuneloopError) and cls.__init__ is TuneloopError.__init__:
        made = cls(packed["text"])
    elif packed["on_purpose"]:
        made = RunError(packed["text"])
    else:
        made = RunError(f"{where} failed: {packed['type']}: {packed['text']}".rstrip(": "))
    made.__cause__ = RuntimeError(f"in that process:\n{packed['traceback']}")
    return made
