"""The fixed bins of one signal: where each value goes, and how many reference values went there."""

from __future__ import annotations

import functools
import hashlib
from abc import abstractmethod
from collections import Counter
from typing import Annotated, Any, Literal, Self

import numpy as np
import pydantic
from numpy.typing import NDArray

MISSING, UNSEEN, LOW, HIGH = "missing", "unseen", "low", "high"
_SEEN_ONCE = 3
"""With so many categories seen once, the reference cannot have met them all: rare ones are counted together."""
_LEAST = 8
"""Rows, of every second one, that a category needs for a bin of its own then."""
LABEL_LENGTH = 80
"""Longer category texts are cut in the `bin` label and end in a hash."""


class _Bins(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    label: str
    counts: tuple[Annotated[int, pydantic.Field(ge=0)], ...]

    @property
    @abstractmethod
    def names(self) -> tuple[str, ...]:
        """The value of the `bin` label, by bin; unique."""

    @pydantic.model_validator(mode="after")
    def _check_counts(self) -> Self:
        if len(self.counts) != len(self.names) or len(set(self.names)) != len(self.names):
            raise ValueError(f"signal {self.label!r} has {len(self.counts)} counts for bins {self.names}")
        return self

    @functools.cached_property
    def ratios(self) -> NDArray[np.float64]:
        """Smoothed reference shares `(count + 0.5) / (rows + 0.5 bins)`, `float64 [bins]`: all above 0, sum 1."""
        counts = np.array(self.counts, dtype=np.float64)
        shares: NDArray[np.float64] = (counts + 0.5) / (counts.sum() + 0.5 * len(counts))
        return shares


class NumberBins(_Bins):
    """`low`, up to ten inner bins of about equal share, `high`, `missing`.

    Inner bin `i` holds `starts[i] <= value < starts[i+1]`; the last one ends at `high`, which belongs to it. `low` and
    `high` hold what the reference never saw. Where the reference holds no number at all, every number is `high`.
    """

    kind: Literal["number"] = "number"
    starts: tuple[float, ...]
    high: float | None

    @pydantic.model_validator(mode="after")
    def _check_order(self) -> Self:
        edges = [*self.starts, *([] if self.high is None else [self.high])]
        if (
            edges != sorted(edges)
            or len(set(self.starts)) != len(self.starts)
            or (self.high is None) == bool(self.starts)
        ):
            raise ValueError(f"signal {self.label!r} has edges out of order: {edges}")
        return self

    @functools.cached_property
    def names(self) -> tuple[str, ...]:
        """`low`, `00: 1.5 to 2`, ..., `high`, `missing`."""
        ends = [*self.starts[1:], self.high]
        inner = (
            f"{i:02d}: {start:.4g} to {end:.4g}" for i, (start, end) in enumerate(zip(self.starts, ends, strict=False))
        )
        return (LOW, *inner, HIGH, MISSING)

    @functools.cached_property
    def _edges(self) -> NDArray[np.float64]:
        return np.array(self.starts, dtype=np.float64)

    def index(self, values: NDArray[Any]) -> NDArray[np.intp]:
        """The bin of each number, `intp [n]`."""
        numbers = np.asarray(values, dtype=np.float64)
        found = np.searchsorted(self._edges, numbers, side="right")
        beyond = ~np.isnan(numbers) if self.high is None else numbers > self.high
        found[beyond] = len(self.starts) + 1
        found[np.isnan(numbers)] = len(self.starts) + 2
        return found

    @classmethod
    def build(cls, label: str, values: NDArray[Any], inner: int = 10) -> NumberBins:
        """Bins of about equal share, and the counts of `values` in them.

        A value is never split over two bins, so a number with few distinct values gets a bin for each frequent one.
        """
        numbers = np.asarray(values, dtype=np.float64)
        finite = numbers[np.isfinite(numbers)]
        distinct, counts = np.unique(finite, return_counts=True)
        middle = (np.cumsum(counts) - counts / 2) / max(len(finite), 1)
        _, first = np.unique(np.floor(middle * inner), return_index=True)
        starts = tuple(float(start) for start in distinct[first])
        high = float(distinct[-1]) if len(distinct) else None
        empty = cls(label=label, starts=starts, high=high, counts=(0,) * (len(starts) + 3))
        return cls(label=label, starts=starts, high=high, counts=_count(empty, numbers))


class CategoryBins(_Bins):
    """One bin a listed category, then `unseen` for all others, and `missing`."""

    kind: Literal["category"] = "category"
    categories: tuple[str, ...]

    @functools.cached_property
    def names(self) -> tuple[str, ...]:
        """The categories, `unseen`, `missing`."""
        return (*(_category_name(text) for text in self.categories), UNSEEN, MISSING)

    @functools.cached_property
    def _positions(self) -> dict[str, int]:
        return {text: position for position, text in enumerate(self.categories)}

    def index(self, values: NDArray[Any]) -> NDArray[np.intp]:
        """The bin of each text, `intp [n]`; None is missing."""
        unseen = len(self.categories)
        positions = self._positions
        found = [unseen + 1 if value is None else positions.get(str(value), unseen) for value in values]
        return np.array(found, dtype=np.intp)

    @classmethod
    def build(cls, label: str, values: NDArray[Any], most: int = 50) -> CategoryBins:
        """Bins for the frequent texts, and the counts of `values` in them.

        Where the reference holds more than `most` texts, or several once only, its rare ones are counted as `unseen`,
        together with those to come: that bin is then expected to hold some, and a column of identifiers does not alarm.
        Which texts are frequent is decided on every second row. Those that seem frequent are, on the whole, a little
        less so in other rows, and counts of the very rows that chose them would promise too much.
        """
        texts = [str(value) for value in values if value is not None]
        found, least = Counter(texts), 1
        if len(found) > most or sum(count == 1 for count in found.values()) >= _SEEN_ONCE:
            found, least = Counter(texts[::2]), _LEAST
        enough = (text for text, count in found.items() if count >= least and _encodable(text))
        categories = tuple(sorted(sorted(enough, key=lambda text: (-found[text], text))[:most]))
        empty = cls(label=label, categories=categories, counts=(0,) * (len(categories) + 2))
        return cls(label=label, categories=categories, counts=_count(empty, values))


Bins = Annotated[NumberBins | CategoryBins, pydantic.Field(discriminator="kind")]


def _count(bins: NumberBins | CategoryBins, values: NDArray[Any]) -> tuple[int, ...]:
    counts = np.bincount(bins.index(values), minlength=len(bins.names))
    return tuple(int(count) for count in counts)


def _encodable(text: str) -> bool:
    """Whether a text can stand in a metric label: a lone surrogate cannot."""
    return text.isascii() or not any("\ud800" <= character <= "\udfff" for character in text)


def _category_name(text: str) -> str:
    """A category as a metric label: readable, unique, and never one of the special names."""
    if len(text) > LABEL_LENGTH:
        return f"={text[:LABEL_LENGTH]}~{hashlib.sha256(text.encode()).hexdigest()[:12]}"
    return f"={text}" if text in (UNSEEN, MISSING) or text.startswith("=") else text
