"""The contract of data sources."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest

from tuneloop.api.errors import DataError
from tuneloop.api.plugin import Plugin
from tuneloop.api.rows import DataSource
from tuneloop.api.testing.checks import need, refuses
from tuneloop.api.testing.plugin import PluginContract
from tuneloop.api.types import Row


class DataSourceContract(PluginContract):
    """Set `plugin` and `options`, and write the files that the options name in `files(root)`.

    Attributes:
        expected: The rows that must come out; None: any.
        broken: Options with which `load` must raise a `DataError`, such as a path that does not exist.
    """

    kind: ClassVar[type[Plugin]] = DataSource
    expected: ClassVar[Sequence[Row] | None] = None
    broken: ClassVar[Sequence[Mapping[str, Any]]] = ()

    def test_load(self, root: Path) -> None:
        """A data set with rows and named columns."""
        rows = self.create().load(root)
        assert isinstance(rows, need("datasets").Dataset), f"load gave a {type(rows).__name__}, not a datasets.Dataset"
        assert rows.column_names, "load gave no columns"
        assert len(rows), "load gave no rows; raise a DataError that says where they were looked for"

    def test_expected_rows(self, root: Path) -> None:
        """The rows are those that were written."""
        if self.expected is None:
            pytest.skip("this contract sets no `expected`")
        assert self.create().load(root).to_list() == [dict(row) for row in self.expected]

    def test_loading_twice_gives_equal_rows(self, root: Path) -> None:
        """Equal data give equal rows in equal order: the run's fingerprint depends on it."""
        first, second = (self.create().load(root) for _ in range(2))
        assert first.features == second.features
        assert first.to_list() == second.to_list(), "loading twice gave different rows, or another order"

    def test_paths_are_relative_to_the_project(
        self, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The folder in which the command is called does not matter."""
        before = self.create().load(root).to_list()
        elsewhere = tmp_path / "elsewhere"
        elsewhere.mkdir()
        monkeypatch.chdir(elsewhere)
        assert self.create().load(root).to_list() == before, "load reads relative to the current folder; use `root`"
        assert not list(elsewhere.iterdir()), "load writes into the current folder"

    def test_absent_data_is_refused(self, root: Path, tmp_path: Path) -> None:  # noqa: ARG002
        """A project folder without the files gives a DataError."""
        if type(self).files is PluginContract.files:
            pytest.skip("this contract writes no `files`")
        empty = tmp_path / "empty"
        empty.mkdir()
        refuses(lambda: self.create().load(empty), "load in a folder without the files", DataError)

    def test_broken_options_are_refused(self, root: Path) -> None:
        """Each of `broken` gives a DataError."""
        if not self.broken:
            pytest.skip("this contract sets no `broken`")
        for options in self.broken:
            source = self.plugin(self.plugin.Options.model_validate(dict(options)))
            refuses(lambda source=source: source.load(root), f"load with {dict(options)}", DataError)  # type: ignore[misc]
