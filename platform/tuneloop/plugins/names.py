"""Offer the nearest of the known names."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def closest(name: str, known: Iterable[str]) -> str | None:
    """The known name that `name` was probably meant to be, or None."""
    names = sorted(known)
    folded = {candidate.lower(): candidate for candidate in names}
    if name.lower() in folded:
        return folded[name.lower()]
    near = difflib.get_close_matches(name, names, n=1)
    within = [candidate for candidate in names if len(name) > 1 and name.lower() in candidate.lower()]
    return next(iter([*near, *within]), None)


def nearest(name: str, known: Iterable[str]) -> str:
    """` Did you mean 'x'?` with a leading blank, or an empty text where no known name is near."""
    near = closest(name, known)
    return f" Did you mean {near!r}?" if near else ""
