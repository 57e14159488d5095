"""Lengths of time as a project writes them: `90s`, `5m`, `1h`, `6h`, `1d`."""

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


Duration = Annotated[
    float,
    pydantic.BeforeValidator(parse_duration),
    pydantic.WithJsonSchema({"type": "string", "pattern": PATTERN, "examples": ["90s", "5m", "1h", "6h", "1d"]}),
]
