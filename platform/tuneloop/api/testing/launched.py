"""What the contract of launchers lets a launcher do; other processes import it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from tuneloop.api.errors import DataError
from tuneloop.api.launcher import Report

ENTRY = f"{__name__}:work"
SAID = "row 7 is odd"


def work(argument: Mapping[str, Any], report: Report) -> dict[str, Any]:
    """Report some records, then answer or fail.

    Args:
        argument: `records`: how many; `fail`: `told`, `bug` or nothing; `value`: comes back.
        report: Told of them.
    """
    for number in range(argument.get("records", 0)):
        report({"epoch": number + 1.0, "loss": 1 / (number + 1)})
    if argument.get("fail") == "told":
        raise DataError(SAID)
    if argument.get("fail") == "bug":
        raise LookupError(SAID)
    return {"value": argument.get("value"), "rank": int(os.environ.get("RANK", "0"))}
