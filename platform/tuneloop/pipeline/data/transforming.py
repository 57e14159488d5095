"""The project's transforms, each where it belongs: all rows, requests too, or the training rows alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tuneloop.api import Augmentation, Row, RowTransform, Transform
from tuneloop.artifact import Part
from tuneloop.pipeline.runs.step import Scope, options, used

if TYPE_CHECKING:
    from datasets import Dataset


def cleaned(scope: Scope, rows: Dataset) -> Dataset:
    """Rows of a source after every transform but augmentations, in order."""
    _leave_nothing()
    for transform in _created(scope):
        if not isinstance(transform, Augmentation):
            rows = transform.apply(rows)
    return rows


def row_change(scope: Scope) -> Callable[[Row], Row]:
    """What the row transforms make of a row from a request: one stored by an older version may have missed some."""
    transforms = [transform for transform in _created(scope) if isinstance(transform, RowTransform)]

    def change(row: Row) -> Row:
        for transform in transforms:
            row = transform.change(row)
        return row

    return change


def augmented(scope: Scope, rows: Dataset) -> Dataset:
    """Training rows, and what the augmentations make of them, one after the other."""
    _leave_nothing()
    for transform in _created(scope):
        if isinstance(transform, Augmentation):
            rows = transform.apply(rows)
    return rows


def served_transforms(scope: Scope) -> tuple[Part, ...]:
    """The row transforms as the manifest names them, in order."""
    return tuple(
        Part(name=name, state=options(given))
        for name, given in scope.project.data.transforms
        if issubclass(scope.plugins.get("transform", name), RowTransform)
    )


def transform_inputs(scope: Scope, *, augmentations: bool) -> list[Any]:
    """What a step's result depends on: the augmentations, or all others."""
    return [
        [used(scope, "transform", name), options(given)]
        for name, given in scope.project.data.transforms
        if issubclass(scope.plugins.get("transform", name), Augmentation) == augmentations
    ]


def _leave_nothing() -> None:
    """What transforms write on the way lies in a folder that is gone with the process, not beside the rows they read.

    Nothing would ever read it again: the step that called them keeps what came of it.
    """
    from datasets import disable_caching

    disable_caching()


def _created(scope: Scope) -> list[Transform]:
    return [scope.plugins.create("transform", name, given) for name, given in scope.project.data.transforms]
