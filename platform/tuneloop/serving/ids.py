"""Ids of predictions, under which their labels come back."""

from __future__ import annotations

import os
import time


def new_ids(count: int) -> list[str]:
    """New ids of predictions: texts of 24 characters: the second, and 64 random bits from one call of the system.

    Ids that rise with time fill a database's index from one end: wholly random ones touch a page of it for every row.
    """
    second = f"{int(time.time()):08x}"
    digits = os.urandom(8 * count).hex()
    return [second + digits[start : start + 16] for start in range(0, len(digits), 16)]
