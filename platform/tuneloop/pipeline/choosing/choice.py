"""Which candidate is taken: the best of those within the limits."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from tuneloop.config.search import Limits
from tuneloop.pipeline.choosing.cost import Cost

_UNITS = {"parameters": "weights", "latency_ms": "ms a row", "memory_mb": "MB"}


@dataclass(frozen=True, slots=True)
class Candidate:
    """A base model that was compared.

    Attributes:
        model: What would stand as `model` in the file.
        score: The deciding metric on the validation rows; None where it failed.
        metrics: All of them.
        cost: None where it failed.
        failure: Why it cannot be taken at all; empty where it can.
    """

    model: Mapping[str, Any]
    score: float | None = None
    metrics: Mapping[str, float] | None = None
    cost: Cost | None = None
    failure: str = ""

    @property
    def options(self) -> str:
        """Its options, as people write them."""
        return ", ".join(f"{k}: {_shown(v)}" for k, v in self.model.items() if k != "base")

    def beyond(self, limits: Limits) -> list[str]:
        """The limits it does not keep, in words."""
        if self.cost is None:
            return []
        allowed, found = asdict(limits), asdict(self.cost)
        return [
            f"{_figure(found[name])} {unit}, of at most {_figure(allowed[name])}"
            for name, unit in _UNITS.items()
            if allowed[name] is not None and found[name] > allowed[name]
        ]


def choose(candidates: Sequence[Candidate], limits: Limits, *, maximize: bool) -> int | None:
    """Position of the best candidate within the limits, of equals the one with fewer weights; None: there is none."""
    sign = -1 if maximize else 1
    fitting = [
        (sign * one.score, one.cost.parameters, place)
        for place, one in enumerate(candidates)
        if one.score is not None and one.cost is not None and not one.beyond(limits)
    ]
    return min(fitting)[2] if fitting else None


def verdict(candidate: Candidate, limits: Limits) -> str:
    """Why it cannot be taken; empty where it can."""
    return candidate.failure or "; ".join(candidate.beyond(limits))


def as_table(candidates: Sequence[Candidate], limits: Limits, metric: str) -> str:
    """A line a candidate, in columns, for a terminal."""
    head = ["base model", metric, *_UNITS.values(), ""]
    lines = [head]
    for one in candidates:
        name = f"{one.model.get('base')} ({one.options})" if one.options else str(one.model.get("base"))
        cost = asdict(one.cost) if one.cost else dict.fromkeys(_UNITS)
        score = "-" if one.score is None else f"{one.score:.4f}"
        lines.append([name, score, *(_figure(cost[unit]) for unit in _UNITS), verdict(one, limits)])
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    return "\n".join("  ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)).rstrip() for line in lines)


def _figure(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
