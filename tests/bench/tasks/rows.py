"""Which module measures which data set, and where the data lie."""

from __future__ import annotations

import importlib
import os
from collections.abc import Sequence
from pathlib import Path

from tests.bench.tasks.line import Line

ROWS = {
    "banking77": "banking77",
    "sms_spam": "sms_spam",
    "sentiment_domains": "sentiment",
    "wnut17": "wnut17",
    "squadshifts": "squadshifts",
    "stories260K": "stories",
    "adult": "adult",
    "wine_quality": "wine_quality",
    "bike_sharing": "bike_sharing",
    "fashion_mnist": "fashion_mnist",
    "efficientnet": "efficientnet",
    "fsdd": "fsdd",
    "librivox_5": "librivox",
    "tanaka_enja": "tanaka",
}
"""The name that `--only` takes, and the module in this folder whose `measure(seeds, quick=...)` gives its lines."""


def shared(kind: str, name: str) -> Path:
    """A folder of `data` or `models` that lie beside the repository, or where the variables say.

    Raises:
        FileNotFoundError: It is absent.
    """
    variable = f"TUNELOOP_TEST_{kind.upper()}"
    path = Path(os.environ.get(variable, Path(__file__).parents[4] / "shared" / kind), name)
    if not path.is_dir():
        raise FileNotFoundError(f"{path} is absent; name the folder that holds {name!r} in {variable}")
    return path


def measured(name: str, seeds: Sequence[int], *, quick: bool) -> list[Line]:
    """The lines of a data set, one a figure."""
    module = importlib.import_module(f"tests.bench.tasks.{ROWS[name]}")
    lines: list[Line] = module.measure(seeds, quick=quick)
    return lines
