"""One line of the table: what the platform reached on one data set, and what a plain reference reached."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Line:
    """What was measured on one data set; figures are those of `metric` on the test rows.

    Attributes:
        name: What `--only` calls it, such as `banking77`.
        task: The platform's task.
        data: The data set and its numbers of rows.
        model: The base model and the strategy.
        metric: What the figures are, such as `accuracy`.
        reference_name: What stands beside it, such as `linear probe`.
        reference: What that reached, on the same rows in the same run.
        tuned: One figure a seed.
        onnx: The served graph's figures, one a seed.
        int8: The int8 variant's figures, one a seed; empty where there is none.
        baseline: Before tuning; None where the task has none.
        higher_is_better: Which way the metric points.
        tolerance: How far below the reference still counts as reached, relative to it.
        strict: Whether the reference is to be passed, not only reached.
        megabytes: Size of the graph.
        int8_megabytes: Size of the int8 variant.
        seconds: Wall time of training, the mean over seeds.
        seeds: The seeds.
        note: What a reader must know, such as a figure from elsewhere that was wanted.
    """

    name: str
    task: str
    data: str
    model: str
    metric: str
    reference_name: str
    reference: float
    tuned: tuple[float, ...]
    onnx: tuple[float, ...]
    int8: tuple[float, ...] = ()
    baseline: float | None = None
    higher_is_better: bool = True
    tolerance: float = 0.0
    strict: bool = False
    megabytes: float | None = None
    int8_megabytes: float | None = None
    seconds: float | None = None
    seeds: tuple[int, ...] = (0,)
    note: str = ""

    @property
    def reached(self) -> bool:
        """Whether the mean of the tuned figures reaches (or passes) the reference."""
        mean = sum(self.tuned) / len(self.tuned)
        sign = 1.0 if self.higher_is_better else -1.0
        gap = sign * (mean - self.reference)
        return gap > 0 if self.strict else gap >= -self.tolerance * abs(self.reference)
