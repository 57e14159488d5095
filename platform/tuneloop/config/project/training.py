"""What is fine-tuned, how, where, and what is measured of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import pydantic


@dataclass(frozen=True, slots=True)
class Model:
    """What is fine-tuned."""

    base: str
    options: pydantic.BaseModel


@dataclass(frozen=True, slots=True)
class Tune:
    """How it is fine-tuned."""

    strategy: str
    options: pydantic.BaseModel
    seed: int


@dataclass(frozen=True, slots=True)
class Launch:
    """Where training runs."""

    launcher: str
    options: pydantic.BaseModel


@dataclass(frozen=True, slots=True)
class Evaluate:
    """What is measured; the first metric picks the best checkpoint where nothing else says so.

    Attributes:
        metrics: Names.
        calibrate: `temperature`: logits are divided by a number fitted on the validation split; `none`: they are not.
        folds: Into how many parts rows are cut for cross-validation; None: there is none.
    """

    metrics: tuple[str, ...]
    calibrate: Literal["temperature", "none"] = "temperature"
    folds: int | None = None
