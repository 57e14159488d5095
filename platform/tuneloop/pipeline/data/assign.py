"""Which split a row belongs to: by a hash, so that it never changes as rows come and go; by time; or by class."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np

from tuneloop.api import DataError, Row
from tuneloop.pipeline.data.rows import column, normalised, plain

if TYPE_CHECKING:
    from tuneloop.config import Split

SPLITS = ("golden", "test", "validation", "train")
FEEDBACK_TEST = "feedback_test"
_DAY = r"\d{4}(?:([-/.]?)\d\d(?:\1\d\d)?|-?\d{3}|-?[WQ]\d{1,2}(?:-?\d)?)?"
_ORDERED = re.compile(rf"(?:{_DAY}(?:[T ]\d\d(?:\D.*|\d{{2,}}.*)?)?|\d{{6,}})\s*$")
"""Times whose order is that of their texts: ISO 8601, or the same with other signs between the numbers."""
_ZONE = re.compile(r"[T ]\d\d[\d:.,]*(Z|[+-]\d\d(?::?\d\d)?)\s*$")
_YEAR = 4
_FEEDBACK_TEST_SHARE, _FEEDBACK_VALIDATION_SHARE = 0.2, 0.1


def share(key: str, salt: str) -> float:
    """A number in [0, 1) that depends on the key and the salt alone."""
    digest = hashlib.sha256(f"{salt}\x00{key}".encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:7], "big") / 2.0**56


def assign(rows: Sequence[Row], names: Sequence[str], split: Split, target: str) -> list[str]:
    """The split of each row.

    Golden rows are those whose hash is lowest, whatever else decides: they stay golden as rows come and go, and when
    other shares change. By default the same hash decides on the rest. By time, the newest of the rest are the test rows
    and those before them validate. Stratified, each class has its share of both; then a row may change its place among
    test, validation and training as rows are added.

    Args:
        rows: Rows with the input columns, the target, and the columns that the split names.
        names: The input columns.
        split: Shares, what is kept together, and seed.
        target: The column with the right answers.

    Raises:
        DataError: A row has no time, or times of several kinds.
    """
    by = split.group or split.key
    salt = f"split:{split.seed}"

    def key(row: Row) -> str:
        # A row without a group is a group of its own.
        if by is None or (split.group is not None and plain(row[by]) is None):
            return normalised(row, names)
        return str(row[by])

    drawn = np.fromiter((share(key(row), salt) for row in rows), dtype=np.float64, count=len(rows))
    placed = ["golden" if one < split.golden else "" for one in drawn]
    rest = [i for i, name in enumerate(placed) if not name]
    if split.fold is not None:
        _fold(placed, rest, [key(row) for row in rows], [str(value) for value in column(rows, target)], split)
    elif split.time is not None:
        _cut(placed, _by_time(rest, rows, split.time), split)
    elif split.stratify:
        answers = [str(value) for value in column(rows, target)]
        classes: dict[str, list[int]] = {}
        for i in rest:
            classes.setdefault(answers[i], []).append(i)
        for members in classes.values():
            _cut(placed, sorted(members, key=lambda i: -drawn[i]), split)
    else:
        for i in rest:
            if drawn[i] < split.golden + split.test:
                placed[i] = "test"
            else:
                placed[i] = "validation" if drawn[i] < split.golden + split.test + split.validation else "train"
    return placed


def _cut(placed: list[str], order: Sequence[int], split: Split) -> None:
    """Place rows in an order: training first, then validation, then test."""
    rest = 1 - split.golden
    test, validation = (round(len(order) * part / rest) for part in (split.test, split.validation))
    for rank, i in enumerate(reversed(order)):
        placed[i] = "test" if rank < test else "validation" if rank < test + validation else "train"


def _fold(placed: list[str], rest: Sequence[int], keys: Sequence[str], classes: Sequence[str], split: Split) -> None:
    """Part i of k tests; of the others a share validates, such that it is as large as it would be without folds."""
    assert split.fold is not None
    number, count = split.fold
    validation = split.validation / (1 - split.golden - split.test)
    drawn = {i: share(keys[i], f"fold:{split.seed}") for i in rest}
    if split.stratify:
        # Rank by rank to one part after the other: each has its share of each class.
        ranked = sorted(rest, key=lambda i: (classes[i], drawn[i]))
        first = {classes[i]: rank for rank, i in reversed(list(enumerate(ranked)))}
        parts = {i: (rank - first[classes[i]]) % count for rank, i in enumerate(ranked)}
    else:
        parts = {i: int(drawn[i] * count) for i in rest}
    for i in rest:
        if parts[i] == number:
            placed[i] = "test"
        else:
            placed[i] = "validation" if share(keys[i], f"fold-validation:{split.seed}") < validation else "train"


def _by_time(members: Sequence[int], rows: Sequence[Row], name: str) -> list[int]:
    """Oldest first. Equal times keep the order of the rows."""
    times = list(column(rows, name))
    blank = [i for i in members if plain(times[i]) is None]
    if blank:
        raise DataError(f"data.split.time: row {blank[0]} has nothing in column {name!r}, so it has no place in time")
    try:
        ordered = sorted(members, key=lambda i: times[i])
    except TypeError as error:
        raise DataError(f"data.split.time: column {name!r} holds times of several kinds: {error}") from error
    if not isinstance(times[ordered[0]] if ordered else None, str):
        return ordered
    ways: dict[str, int] = {}
    for i in members:
        ways.setdefault(_way(times[i]), i)
        if not _ORDERED.match(times[i]) or len(ways) > 1:
            others = [f"row {at} has {times[at]!r}" for at in ways.values() if at != i]
            raise DataError(
                f"data.split.time: row {i} has {times[i]!r} in column {name!r}{', '.join(['', *others])}. Texts have "
                "the order of their letters, so write all times in one way, from the year down, such as 2026-03-01 or "
                "2026-03-01T09:30, or as numbers"
            )
    if len({zone for i in members if (zone := _zone(times[i]))}) <= 1:
        return ordered
    return sorted(members, key=lambda i: _instant(times[i], i, name))


def _way(text: str) -> str:
    """What must be alike for the order of letters to be that of time: the sign behind the year, or how many digits."""
    if text.strip().isdigit():
        return "0" * len(text.strip()) if len(text.strip()) > _YEAR else "-"
    sign = text[_YEAR : _YEAR + 1]
    return "0" if sign.isdigit() else sign


def _zone(text: str) -> str:
    found = _ZONE.search(text)
    return "" if found is None else found[1].replace("Z", "+00:00")


def _instant(text: str, row: int, name: str) -> float:
    """Seconds of a time, that of Greenwich where it names no zone."""
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise DataError(
            f"data.split.time: column {name!r} holds times of several zones, and row {row} has {text!r}: {error}. "
            "Write them as ISO 8601, or all in one zone"
        ) from error
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


def assign_feedback(content: str) -> str:
    """The split of a labelled production row, by its content: equal rows stay together."""
    drawn = share(content, "feedback")
    if drawn < _FEEDBACK_TEST_SHARE:
        return FEEDBACK_TEST
    return "validation" if drawn < _FEEDBACK_TEST_SHARE + _FEEDBACK_VALIDATION_SHARE else "train"
