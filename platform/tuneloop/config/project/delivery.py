"""What a challenger must fulfil, how its artifact is made, and where it is served."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import pydantic


@dataclass(frozen=True, slots=True)
class Proof:
    """What is to be proven of a challenger against the champion.

    Attributes:
        prove: `worse`: it passes unless the estimate, or a slice, speaks against it; `not-worse`: it passes if a loss
            above the margin is ruled out.
        superiority: Where it must be proven better: `none`, `recent` labelled production rows, or `golden`.
        alpha: Error probability of all proofs against one champion together.
        slices: Columns that cut the golden holdout; None: by class, where answers are classes.
        slice_margin: How much worse a slice may be, in the unit of what it is compared by.
        min_slice_rows: Smaller slices are not judged.
    """

    prove: Literal["worse", "not-worse"] = "worse"
    superiority: Literal["none", "recent", "golden"] = "none"
    alpha: float = 0.05
    slices: tuple[str, ...] | None = None
    slice_margin: float = 0.05
    min_slice_rows: int = 50


@dataclass(frozen=True, slots=True)
class Gate:
    """What a challenger must fulfil.

    Attributes:
        require: Metric to the value it must reach: at least, or at most where less is better.
        champion_metric: What the champion is compared by; None: no comparison.
        champion_margin: How much worse than the champion is still accepted, in the metric's own unit.
        proof: What is to be proven of it against the champion.
    """

    require: Mapping[str, float]
    champion_metric: str | None
    champion_margin: float
    proof: Proof = Proof()


@dataclass(frozen=True, slots=True)
class Export:
    """How the artifact is made.

    Attributes:
        format: The exporter.
        options: Its options.
        quantize_mode: One of the exporter's quantisations; None: the float model is served.
        quantize_max_loss: How much of the first metric a quantised model may lose.
        tolerance: Largest accepted difference between exported and tuned outputs.
        max_changed: Share of validation answers that the export may change.
    """

    format: str
    options: pydantic.BaseModel
    quantize_mode: str | None
    quantize_max_loss: float
    tolerance: float
    max_changed: float


@dataclass(frozen=True, slots=True)
class Serve:
    """Where and how wide it is served."""

    host: str
    port: int
    workers: int
    threads: int
    device: Literal["auto", "cpu", "gpu"] = "auto"
