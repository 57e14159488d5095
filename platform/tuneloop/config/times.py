"""Points in time as a project writes them: a cron expression such as `0 3 * * 0`, and the zone its hours are of."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated
from zoneinfo import ZoneInfo

import pydantic

_ALIAS = re.compile(r"^@(hourly|daily|midnight|weekly|monthly|yearly|annually)$")
_FIELD = re.compile(r"^[0-9A-Za-z*/,#-]+$", re.ASCII)
# croniter's own `R` draws a time at random: another one after each start.
_RANDOM = re.compile(r"(^|[,/-])[rR]([,/-]|$)")
_EXPECTED = "five fields, minute hour day month weekday, such as `0 3 * * 0` (Sundays at 3), or @daily"


def check_cron(text: str) -> str:
    """The expression with single spaces.

    Raises:
        ValueError: It is none, or there is no such day.
    """
    fields = text.split()
    simple = len(fields) == 5 and all(_FIELD.match(field) and not _RANDOM.search(field) for field in fields)
    if not simple and not _ALIAS.match(text.strip()):
        raise ValueError(_EXPECTED)
    try:
        from croniter import croniter
    except ImportError:
        # Only the loop needs it, and looks again.
        return " ".join(fields)
    try:
        croniter(" ".join(fields), datetime(2026, 1, 1)).get_next(datetime)
    except (ValueError, KeyError) as error:
        raise ValueError(f"{_EXPECTED} ({error})") from error
    return " ".join(fields)


def check_zone(name: str) -> str:
    """The name of a time zone.

    Raises:
        ValueError: There is none of this name.
    """
    try:
        ZoneInfo(name)
    except (ValueError, OSError, KeyError) as error:
        raise ValueError("the name of a time zone, such as Europe/Rome or UTC") from error
    return name


Cron = Annotated[str, pydantic.AfterValidator(check_cron)]
Zone = Annotated[str, pydantic.AfterValidator(check_zone)]
