"""The library itself, imported on first use: that takes a second."""

from __future__ import annotations

from typing import Any

from tuneloop.api import MissingExtraError


def detector(part: str, name: str, **options: Any) -> Any:
    """One of river's drift detectors.

    Args:
        part: What needs it, for a message.
        name: The class in `river.drift`.
        options: Of its constructor.

    Raises:
        MissingExtraError: river is not installed.
    """
    try:
        from river import drift
    except ImportError as error:
        raise MissingExtraError(part, "river", "loop") from error
    return getattr(drift, name)(**options)
