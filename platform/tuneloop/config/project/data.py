"""Where rows come from, what is looked for in them, and which are held back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import pydantic

from tuneloop.api import Columns


@dataclass(frozen=True, slots=True)
class Split:
    """Shares of the rows, each above 0 and together below 1; the rest is for training.

    `key` names the column whose hash decides where a row goes; None: the whole row decides. Rows that agree in column
    `group` stay together. By column `time` the newest rows are the test rows. `stratify` gives each class its shares.
    `fold` `(i, k)` is never written in a file: part i of k is the test split of one training of a cross-validation.
    """

    validation: float
    test: float
    golden: float
    key: str | None
    seed: int
    group: str | None = None
    time: str | None = None
    stratify: bool = False
    fold: tuple[int, int] | None = None


FindingName = Literal[
    "schema",
    "missing",
    "duplicates",
    "near-duplicates",
    "label conflicts",
    "label errors",
    "rare classes",
    "imbalance",
    "leakage",
    "near-leakage",
    "personal data",
    "outliers",
    "identifiers",
    "texts too long",
    "unknown characters",
]
"""What a look at the rows may find."""


@dataclass(frozen=True, slots=True)
class Check:
    """Which findings stop a run, and which are not looked for; all others are shown.

    `country`, two letters of ISO 3166, has phone numbers found as they are dialled within it.
    """

    stop: tuple[FindingName, ...] = ()
    ignore: tuple[FindingName, ...] = ()
    country: str | None = None


@dataclass(frozen=True, slots=True)
class Data:
    """Where rows come from. `options` is the data source's own model; each transform is a name with its options.

    `processes` encode the rows; None: all cores where there are many rows.
    """

    source: str
    options: pydantic.BaseModel
    columns: Columns
    transforms: tuple[tuple[str, pydantic.BaseModel], ...]
    split: Split
    check: Check = Check()
    processes: int | None = None
