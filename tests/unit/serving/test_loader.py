"""Which versions may follow the one that serves."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tuneloop.api import Column
from tuneloop.artifact import Artifact, Part, seal
from tuneloop.serving.loader import VersionRefusedError, load_version


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
