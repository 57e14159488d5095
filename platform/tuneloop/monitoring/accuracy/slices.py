"""Slices: which part of the traffic an answer belongs to, read from the row and the answer as they are stored."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from numpy.typing import NDArray

from tuneloop.api import Answer, ConfigError, PluginError, Row, Signal, SignalBatch
from tuneloop.monitoring.bins import UNSEEN
from tuneloop.monitoring.offline.suspects import suspicion
from tuneloop.monitoring.reference import Reference, read_signal

logger = logging.getLogger(__name__)

MOST_SLICES = 8
"""Slices a project may name: with up to 52 bins each and four outcomes, 1,664 series a version at most."""
MOST_UNSEEN = 0.2
"""Share of a category's holdout rows outside its 50 most frequent values, above which it is no slice."""


class SliceReader:
    """Reads slices in the bins of the reference. Thread safe.

    Args:
        reference: `slices` names the signals; their bins are the values.
        signals: Those of the version.
    """

    def __init__(self, reference: Reference, signals: Sequence[Signal]) -> None:
        wanted = [signal for signal in signals if signal.label in reference.slices]
        self._signals = {signal.label: signal for signal in wanted if signal.label in reference.by_label}
        self._reference = reference
        for label in sorted(set(reference.slices) - set(self._signals)):
            logger.warning("slice %r is not counted: there is no such signal with a reference", label)

    @property
    def names(self) -> Mapping[str, tuple[str, ...]]:
        """Every value a slice can have, by slice."""
        return {label: self._reference.by_label[label].names for label in self._signals}

    def read(self, rows: Sequence[Row], answers: Sequence[Answer]) -> dict[str, list[str]]:
        """The value of each row in each slice. A slice that cannot be read is left out from now on."""
        batch = stored_batch(rows, answers)
        found: dict[str, list[str]] = {}
        for label, signal in list(self._signals.items()):
            bins = self._reference.by_label[label]
            try:
                found[label] = [bins.names[position] for position in bins.index(read_signal(signal, batch))]
            except PluginError:
                logger.exception("slice %r is not counted any more", label)
                self._signals.pop(label, None)
        return found


def stored_batch(rows: Sequence[Row], answers: Sequence[Answer]) -> SignalBatch:
    """What is left of a batch in the store: rows and answers, neither model inputs nor outputs."""
    return SignalBatch(list(rows), (), {}, list(answers))


def readable(signal: Signal) -> bool:
    """Whether a signal asks neither for model inputs nor for outputs, which the store does not keep."""
    batch = SignalBatch([{}], _Absent(), _Absent(), [{}])  # type: ignore[arg-type]
    try:
        read_signal(signal, batch)
    except PluginError as error:
        return not isinstance(error.__cause__, _AbsentError)
    return True


def slice_labels(wanted: Sequence[str], signals: Sequence[Signal], reference: Reference) -> tuple[str, ...]:
    """The signals behind `monitor.slices`, sorted.

    Args:
        wanted: Columns, or labels of signals.
        signals: Those of the model.
        reference: Their bins.

    Raises:
        ConfigError: One is not known, cannot be read from a stored row, or has too many values.
    """
    known = {signal.label: signal for signal in signals}
    chosen: set[str] = set()
    problems = []
    for name in wanted:
        label = name if name in known else f"column:{name}"
        problem = _problem(known.get(label), reference)
        if problem:
            problems.append(f"monitor.slices: {name!r} {problem}")
        chosen.add(label)
    if problems:
        usable = [label for label, signal in known.items() if not _problem(signal, reference)]
        raise ConfigError([*problems, f"monitor.slices may name: {', '.join(usable) or 'nothing'}"])
    return tuple(sorted(chosen))


def unfit_column(kind: str, values: NDArray[Any]) -> str | None:
    """Why a column is no slice; None where nothing speaks against it.

    Args:
        kind: Number or category.
        values: In the order of the rows: `float64 [n]`, or `object [n]` of texts, None where missing.
    """
    reason = suspicion(kind, values, values)
    if reason is not None:
        return reason.replace("both tables are", "rows are")
    present = [value for value in values.tolist() if value is not None] if kind == "category" else []
    if len(present) >= 2 * _MANY and len(set(present)) > max(_MANY, len(present) / 2):
        return f"{len(set(present))} different values in {len(present)} rows, as in an identifier"
    return None


_MANY = 50


def _problem(signal: Signal | None, reference: Reference) -> str | None:
    if signal is None:
        return "is neither a column of the request with numbers or categories, nor a signal"
    bins = reference.by_label.get(signal.label)
    if bins is None:
        return "is not watched (monitor.signals, monitor.exclude), so it has no bins"
    if not readable(signal):
        return "is read from what is not stored; only what can be read from rows and answers is a slice"
    shares = dict(zip(bins.names, bins.counts, strict=True))
    if bins.kind == "category" and shares.get(UNSEEN, 0) > MOST_UNSEEN * reference.rows:
        return "has too many values, as an identifier has; bin it in a column of its own"
    return None


class _AbsentError(Exception):
    """Somebody looked at what is not stored."""


class _Absent:
    """In the place of model inputs and outputs."""

    def __getattr__(self, name: str) -> Any:
        raise _AbsentError(name)

    def __getitem__(self, key: Any) -> Any:
        raise _AbsentError(key)

    def __iter__(self) -> Iterator[Any]:
        raise _AbsentError

    def __len__(self) -> int:
        raise _AbsentError
