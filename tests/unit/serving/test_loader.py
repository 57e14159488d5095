"""Which versions may follow the one that serves."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from tuneloop.api import Column, Encoded, Row, Tensor
from tuneloop.artifact import Artifact, Part, seal
from tuneloop.serving.loader import VersionRefusedError, _measure, load_version


@pytest.fixture(scope="module")
def old(artifacts: Callable[..., Artifact]) -> Artifact:
    return artifacts(1)


def resealed(
    old: Artifact, folder: Path, columns: tuple[Column, ...] | None = None, task: str | None = None
) -> Artifact:
    """A copy that states other columns or another task."""
    shutil.copytree(old.folder, folder, ignore=shutil.ignore_patterns("manifest.json"))
    manifest = old.manifest
    if columns is not None:
        manifest = manifest.model_copy(update={"signature": manifest.signature.model_copy(update={"columns": columns})})
    if task is not None:
        manifest = manifest.model_copy(update={"task": Part(name=task, state=manifest.task.state)})
    return seal(folder, manifest)


def renamed(columns: tuple[Column, ...]) -> tuple[Column, ...]:
    return (replace(columns[0], name="years"), *columns[1:])


def retyped(columns: tuple[Column, ...]) -> tuple[Column, ...]:
    return (replace(columns[0], kind="category"), *columns[1:])


def fewer(columns: tuple[Column, ...]) -> tuple[Column, ...]:
    return columns[:-1]


def more(columns: tuple[Column, ...]) -> tuple[Column, ...]:
    return (*columns, Column("town", "text"))


@pytest.mark.parametrize("change", [renamed, retyped, fewer, more])
def test_a_version_that_takes_other_columns_is_refused(
    old: Artifact, tmp_path: Path, change: Callable[..., Any]
) -> None:
    new = resealed(old, tmp_path / "new", columns=change(old.manifest.signature.columns))
    with pytest.raises(VersionRefusedError, match="clients of this server send") as caught:
        load_version(new.folder, "2", like=old)
    assert caught.value.reason == "signature"
    assert "hours per week" in str(caught.value)


def test_a_version_that_answers_another_task_is_refused(old: Artifact, tmp_path: Path) -> None:
    new = resealed(old, tmp_path / "new", task="tabular-regression")
    with pytest.raises(VersionRefusedError, match="for tabular-regression; clients of this server send") as caught:
        load_version(new.folder, "2", like=old)
    assert caught.value.reason == "signature"


def test_a_version_whose_columns_come_in_another_order_is_taken(old: Artifact, tmp_path: Path) -> None:
    new = resealed(old, tmp_path / "new", columns=tuple(reversed(old.manifest.signature.columns)))
    assert load_version(new.folder, "2", like=old).version == "2"


class Words:
    """A preprocessor of one tensor whose length is free, and a model that takes a while."""

    tensors = (Tensor("ids", "int64", ("batch", "length")), Tensor("country", "int64", ("batch", 2)))

    def __init__(self, longest: int) -> None:
        self.longest = longest
        self.preprocessor = self

    def check(self, rows: list[Any]) -> list[Any]:
        return rows

    def encode(self, rows: list[Any]) -> list[Encoded]:
        ids = np.zeros((1, len(rows[0]["text"])), "int64")
        return [Encoded((0,), {"ids": ids, "country": np.zeros((1, 2), "int64")})]

    def run(self, inputs: Any) -> Any:
        return inputs


def test_what_is_cheap_for_short_examples_counts_as_what_the_longest_row_costs() -> None:
    short: list[Row] = [{"text": "hey"}]
    for longest in (3, 300):
        row_seconds, value_seconds = _measure(cast("Any", Words(longest)), short)
        assert row_seconds == pytest.approx(value_seconds * (longest + 2))


def test_a_table_costs_what_its_rows_cost(old: Artifact) -> None:
    loaded = load_version(old.folder, "1")
    values = sum(int(tensor.shape[1]) for tensor in loaded.predictor.preprocessor.tensors)
    assert loaded.row_seconds == pytest.approx(loaded.value_seconds * values)
