"""The contract of base models."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from tuneloop.api.base_model import BaseModel
from tuneloop.api.plugin import Plugin
from tuneloop.api.preprocessor import Preprocessor, PreprocessorChoice
from tuneloop.api.task import Task
from tuneloop.api.testing.checks import check_equal, check_saved, dataset
from tuneloop.api.testing.examples import ROWS, task_columns
from tuneloop.api.testing.installed import find
from tuneloop.api.testing.plugin import PluginContract
from tuneloop.api.testing.tiny_torch import torch_outputs
from tuneloop.api.types import Arrays, Columns, Row


class BaseModelContract(PluginContract):
    """Set `plugin` and `options`, and write the checkpoint that the options name in `files(root)`.

    It is built for each of its `tasks` with the installed task and preprocessor of that name.

    Attributes:
        columns: The roles of the columns of `rows`; None: text roles and a label, or a table.
        rows: Training rows.
    """

    kind: ClassVar[type[Plugin]] = BaseModel
    columns: ClassVar[Columns | None] = None
    rows: ClassVar[Sequence[Row]] = ROWS

    def outputs(self, model: Any, inputs: Arrays) -> Arrays:
        """The model's outputs in evaluation mode; override it for a framework other than torch."""
        if self.plugin.framework != "torch":
            pytest.fail(f"framework is {self.plugin.framework!r}, so this contract needs an `outputs` of its own")
        return torch_outputs(model, inputs)

    def test_framework_and_tasks(self) -> None:
        """It says what strategies it fits, and names installed tasks."""
        assert isinstance(self.plugin.framework, str)
        assert self.plugin.framework, "framework is empty"
        assert self.plugin.tasks, "tasks is empty"
        for name in self.plugin.tasks:
            find("tuneloop_tasks", name)

    def test_preprocessor(self, root: Path) -> None:
        """It names an installed preprocessor that takes the options it gives."""
        choice = self.create().preprocessor(root)
        assert isinstance(choice, PreprocessorChoice), f"preprocessor gave a {type(choice).__name__}"
        find("tuneloop_preprocessors", choice.name)
        for _, preprocessor in self._worlds(root):
            assert preprocessor.tensors

    def test_files(self, root: Path) -> None:
        """The files it is made from are there, and none is named twice."""
        files = list(self.create().files(root))
        assert len(set(files)) == len(files), "files names a file twice"
        for path in files:
            assert path.is_file(), f"files names {path}, which is no file"

    def test_outputs(self, root: Path) -> None:
        """`logits` with a column an output of the task; a row answers the same alone and in a batch."""
        for task, preprocessor in self._worlds(root):
            model = self.create().build(root, task, preprocessor)
            for inputs in self._inputs(preprocessor):
                count = len(next(iter(inputs.values())))
                outputs = self.outputs(model, inputs)
                self._check_outputs(outputs, task, count)
                alone = self.outputs(model, {name: array[:1] for name, array in inputs.items()})
                np.testing.assert_allclose(alone["logits"], outputs["logits"][:1], rtol=1e-4, atol=1e-5)

    def test_building_twice_gives_equal_models(self, root: Path) -> None:
        """Also the fresh head is the same on every call."""
        for task, preprocessor in self._worlds(root):
            first, second = (self.create().build(root, task, preprocessor) for _ in range(2))
            for inputs in self._inputs(preprocessor):
                check_equal(self.outputs(first, inputs), self.outputs(second, inputs), "two models of one build")

    def test_save_and_load(self, root: Path, tmp_path: Path) -> None:
        """A saved model answers the same, without the project and the checkpoint it came from."""
        for number, (task, preprocessor) in enumerate(list(self._worlds(root))):
            self.files(root)
            model = self.create().build(root, task, preprocessor)
            folder = tmp_path / f"saved-{number}"
            folder.mkdir()
            self.create().save(model, task, folder)
            check_saved(folder)
            shutil.rmtree(root)
            root.mkdir()
            again = self.create().load(folder, task, preprocessor)
            for inputs in self._inputs(preprocessor):
                check_equal(
                    self.outputs(model, inputs), self.outputs(again, inputs), "a model that was saved and loaded"
                )

    def test_warm_start(self, root: Path, tmp_path: Path) -> None:
        """With `warm_start`, outputs that were saved answer the same in a task with one more."""
        if not self.plugin.warm_start:
            pytest.skip("warm_start is False")
        for task, preprocessor in self._worlds(root):
            if task.loss not in ("cross_entropy", "binary_cross_entropy"):
                continue
            names = task.output_names
            wider = type(task).fit(self._columns(type(task)), dataset(self.rows), ("brand-new", *reversed(names)))
            model = self.create().build(root, task, preprocessor)
            folder = tmp_path / task.name
            folder.mkdir()
            self.create().save(model, task, folder)
            again = self.create().load(folder, wider, preprocessor)
            places = [wider.output_names.index(name) for name in names]
            for inputs in self._inputs(preprocessor):
                before, after = self.outputs(model, inputs)["logits"], self.outputs(again, inputs)["logits"]
                np.testing.assert_allclose(after[..., places], before, rtol=1e-5, atol=1e-6)

    def test_torch_parts(self, root: Path) -> None:
        """A torch model has the parts of `TorchModel`: head, features, layer groups."""
        if self.plugin.framework != "torch":
            pytest.skip("for torch only")
        for task, preprocessor in self._worlds(root):
            model = self.create().build(root, task, preprocessor)
            groups = [name for group in model.layer_groups() for name in group]
            names = [name for name, _ in model.named_parameters()]
            assert sorted(groups) == sorted(names), "layer_groups must hold every parameter in exactly one group"
            if task.loss == "likelihood":
                # Its last layer is often the embedding's own weights.
                continue
            heads = {name for name in names if name.startswith("head.")}
            assert heads, "the model has no parameters below `head`"
            assert heads <= set(model.layer_groups()[0]), "the first of layer_groups must hold the head"
            assert callable(model.features), "the model has no method `features`"

    def _worlds(self, root: Path) -> Iterator[tuple[Task, Preprocessor]]:
        choice = self.create().preprocessor(root)
        kind = find("tuneloop_preprocessors", choice.name)
        for name in sorted(self.plugin.tasks):
            cls = find("tuneloop_tasks", name).trained_by(self.plugin.loss)
            columns, rows = self._columns(cls), dataset(self.rows)
            yield cls.fit(columns, rows), kind.fit(choice.options, columns, rows)

    def _columns(self, task: type[Task]) -> Columns:
        return self.columns or task_columns(task)

    def _inputs(self, preprocessor: Preprocessor) -> Iterator[Arrays]:
        rows = [{column.name: row[column.name] for column in preprocessor.columns} for row in self.rows]
        for group in preprocessor.encode(preprocessor.check(rows)):
            yield group.inputs

    def _check_outputs(self, outputs: Arrays, task: Task, count: int) -> None:
        assert "logits" in outputs, f"the model gives {sorted(outputs)}; it must give 'logits'"
        shape = outputs["logits"].shape
        wanted = (count, *shape[1:-1], len(task.output_names))
        axes = 3 if task.judged_as in ("tagging", "span") or task.loss in ("ctc", "likelihood") else 2
        assert shape == wanted, f"logits has shape {shape}, not {wanted}"
        assert len(shape) == axes, f"logits has shape {shape}; task {task.name!r} reads {axes} axes"
        if "embedding" in outputs:
            assert outputs["embedding"].shape[0] == count
            assert outputs["embedding"].ndim == 2, f"embedding has shape {outputs['embedding'].shape}"
        for name, array in outputs.items():
            assert np.isfinite(array).all(), f"{name!r} is not finite"
