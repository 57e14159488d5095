"""Which candidate is taken: the best of those within the limits."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tuneloop.config.search import Limits
from tuneloop.pipeline.choosing.bits import BITS
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
    """Position of the best candidate within the limits; None: there is none.

    Of equals it is the one that needs fewer bits for a byte of the right texts, where they write some: after a short
    fit none of them may write anything that is right. Then it is the one with fewer weights.
    """
    sign = -1 if maximize else 1
    fitting = [
        (sign * one.score, (one.metrics or {}).get(BITS, math.inf), one.cost.parameters, place)
        for place, one in enumerate(candidates)
        if one.score is not None and one.cost is not None and not one.beyond(limits)
    ]
    return min(fitting)[3] if fitting else None


def verdict(candidate: Candidate, limits: Limits) -> str:
    """Why it cannot be taken; empty where it can."""
    return candidate.failure or "; ".join(candidate.beyond(limits))


def called(models: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """Base model and options of each, as people write them: a path by its last part, where that tells them apart."""
    short, whole = ([_written(model, shorten) for model in models] for shorten in (shortened, lambda value: value))
    return [long if short.count(one) > 1 else one for one, long in zip(short, whole, strict=True)]


def in_words(name: tuple[str, str]) -> str:
    """Base model and options in one."""
    return f"{name[0]} ({name[1]})" if name[1] else name[0]


def shortened(value: Any) -> Any:
    """The last part of a path that begins at the root of this machine; anything else as it is."""
    return Path(value).name if isinstance(value, str) and Path(value).is_absolute() else value


def as_table(candidates: Sequence[Candidate], limits: Limits, metric: str, best: int | None = None) -> str:
    """A line a candidate, in columns, for a terminal.

    Args:
        candidates: In order.
        limits: Those of the project.
        metric: That decided.
        best: Position of the one that is taken; None: none is.
    """
    head = ["base model", metric, *_UNITS.values(), ""]
    lines = [head]
    names = called([one.model for one in candidates])
    for place, (one, name) in enumerate(zip(candidates, names, strict=True)):
        cost = asdict(one.cost) if one.cost else dict.fromkeys(_UNITS)
        score = "-" if one.score is None else f"{one.score:.4f}"
        said = "chosen" if place == best else verdict(one, limits)
        lines.append([in_words(name), score, *(_figure(cost[unit]) for unit in _UNITS), said])
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    return "\n".join("  ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)).rstrip() for line in lines)


def _written(model: Mapping[str, Any], shorten: Callable[[Any], Any]) -> tuple[str, str]:
    options = ", ".join(f"{name}: {_shown(shorten(value))}" for name, value in model.items() if name != "base")
    return str(model.get("base")), options


def _figure(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
