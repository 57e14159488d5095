"""The columns of the output: those kept of the input, then the fields of the answers, flattened."""

from __future__ import annotations

import functools
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from tuneloop.api import Answer, DataError, ServingError
from tuneloop.serving.offline.record import Record

NUMBER = "row"
"""The column with the record's number among all, where no column is kept."""

Path: TypeAlias = tuple[str, ...]
"""Keys, from the outside in."""

Kind = Literal["text", "truth", "whole", "number", "json"]


@dataclass(frozen=True, slots=True)
class Field:
    """One field of the answers: its path in an answer, and what its values are."""

    path: Path
    kind: Kind


@dataclass(frozen=True)
class Layout:
    """The columns of the output.

    Attributes:
        kept: Columns of the input; empty: the record's number stands for them.
        fields: Fields of the answers.
        prefix: Before the name of each field.
        closed: Whether a record with other columns than those kept is refused, because all were to be kept.
    """

    kept: tuple[str, ...]
    fields: tuple[Field, ...]
    prefix: str = ""
    closed: bool = False

    def __post_init__(self) -> None:
        """Refuse two columns of one name.

        Raises:
            DataError: Names them.
        """
        names = self.names
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise DataError(
                f"the output would have more than one column named {', '.join(map(repr, twice))}: put a text before "
                "the fields of the answers, as in --prefix predicted_"
            )

    @property
    def names(self) -> tuple[str, ...]:
        """The columns, in order."""
        return (*(self.kept or (NUMBER,)), *(self.prefix + ".".join(field.path) for field in self.fields))

    @functools.cached_property
    def _paths(self) -> frozenset[Path]:
        return frozenset(field.path for field in self.fields)

    def values(self, number: int, record: Record, answer: Answer | None) -> tuple[Any, ...]:
        """One row of the output; the fields are empty where there is no answer.

        Raises:
            DataError: A column would be lost.
            ServingError: The answer has other fields than the golden ones.
        """
        if self.closed and not record.values.keys() <= set(self.kept):
            more = sorted(set(record.values) - set(self.kept))
            raise DataError(
                f"{record.where}: it has the column {more[0]!r}, which the first records have not; "
                "name the columns to keep with --keep"
            )
        kept = tuple(record.values.get(name) for name in self.kept) or (number,)
        if answer is None:
            return (*kept, *(None for _ in self.fields))
        leaves = dict(_leaves(answer, self._paths))
        if leaves.keys() != self._paths:
            raise ServingError(
                f"{record.where}: the answer has other fields than the golden examples of the model: {answer!r:.200}"
            )
        return (*kept, *(leaves[field.path] for field in self.fields))


def answer_fields(answers: Sequence[Answer], order: Iterable[str] = ()) -> tuple[Field, ...]:
    """The fields of a model's answers, from its golden ones: objects are opened where all have the same keys.

    Args:
        answers: At least one.
        order: Keys of an answer that come first, in this order.
    """
    found = [Field(path, _kind(values)) for path, values in _open((), list(answers))]
    rank = {key: place for place, key in enumerate(order)}
    return tuple(sorted(found, key=lambda field: rank.get(field.path[0], len(rank))))


def _open(path: Path, values: list[Any]) -> Iterator[tuple[Path, list[Any]]]:
    first = values[0]
    if not first or not all(isinstance(value, Mapping) and value.keys() == first.keys() for value in values):
        yield path, values
        return
    for key in first:
        yield from _open((*path, key), [value[key] for value in values])


def _leaves(value: Any, paths: Collection[Path], path: Path = ()) -> Iterator[tuple[Path, Any]]:
    if path in paths or not isinstance(value, Mapping):
        yield path, value
        return
    for key, inner in value.items():
        yield from _leaves(inner, paths, (*path, key))


def _kind(values: Sequence[Any]) -> Kind:
    types = {type(value) for value in values if value is not None}
    if types <= {str}:
        return "text"
    if types == {bool}:
        return "truth"
    if types == {int}:
        return "whole"
    return "number" if types <= {int, float} else "json"
