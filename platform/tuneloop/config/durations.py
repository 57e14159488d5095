"""Lengths of time as a project writes them: `90s`, `5m`, `1h`, `6h`, `1d`; and several of them as windows."""

from __future__ import annotations

import re
from typing import Annotated

import pydantic

UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
PATTERN = r"^([0-9]+(\.[0-9]+)?)([smhdw])$"
LONGEST = 366 * UNITS["d"]


def parse_duration(value: object) -> float:
    """Seconds of a text such as `90s` or `1.5h`.

    Raises:
        ValueError: It is no number with one of the units, or not above 0 and at most a year.
    """
    match = re.match(PATTERN, value, re.ASCII) if isinstance(value, str) else None
    if match is None:
        raise ValueError("a number with its unit: 90s, 5m, 1h, 1d or 1w")
    seconds = float(match[1]) * UNITS[match[3]]
    if not 0 < seconds <= LONGEST:
        raise ValueError("a time above 0s and at most 366d")
    return seconds


AUTO = "auto"
AUTO_WINDOWS = (600.0, 3600.0, 86_400.0, 604_800.0)
"""Ten minutes to a week: with 1000 rows needed, traffic from 2 rows a minute to 1000 a second is judged."""
MOST_WINDOWS = 8


def parse_windows(value: object) -> tuple[float, ...]:
    """Seconds of one window such as `1h`, of a list of them, the shortest first, or of `auto`.

    Raises:
        ValueError: One is no duration, two are the same, or there are none or more than eight.
    """
    if value == AUTO:
        return AUTO_WINDOWS
    if not isinstance(value, list):
        try:
            return (parse_duration(value),)
        except ValueError as error:
            raise ValueError(f"{error}; or a list of such times, or auto") from None
    windows = tuple(sorted(parse_duration(one) for one in value))
    if not 0 < len(windows) <= MOST_WINDOWS or len(set(windows)) != len(windows):
        raise ValueError(f"one to {MOST_WINDOWS} different times")
    return windows


Duration = Annotated[
    float,
    pydantic.BeforeValidator(parse_duration),
    pydantic.WithJsonSchema({"type": "string", "pattern": PATTERN, "examples": ["90s", "5m", "1h", "6h", "1d"]}),
]
Windows = Annotated[
    tuple[float, ...],
    pydantic.BeforeValidator(parse_windows),
    pydantic.WithJsonSchema(
        {
            "anyOf": [
                {"const": AUTO},
                {"type": "string", "pattern": PATTERN},
                {"type": "array", "items": {"type": "string", "pattern": PATTERN}, "minItems": 1, "uniqueItems": True},
            ],
            "examples": [AUTO, "1h", ["10m", "1h", "1d"]],
        }
    ),
]
