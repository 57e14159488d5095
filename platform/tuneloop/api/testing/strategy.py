"""The contract of strategies."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from numpy.typing import NDArray

from tuneloop.api.errors import PluginError
from tuneloop.api.plugin import Plugin
from tuneloop.api.strategy import FitResult, Strategy, TrainingData
from tuneloop.api.testing.checks import check_equal
from tuneloop.api.testing.plugin import PluginContract
from tuneloop.api.testing.tiny_torch import batches, tiny_data, tiny_model, torch_weights
from tuneloop.api.types import Arrays, scatter


class StoppedError(BaseException):
    """Raised in the middle of training, as a kill would end it."""


class StrategyContract(PluginContract):
    """Set `plugin`, and `options` so that training takes a few epochs of some milliseconds.

    The methods without `test_` serve strategies with `framework = "torch"`; override them for another framework.
    """

    kind: ClassVar[type[Plugin]] = Strategy
    seed: ClassVar[int] = 5

    def model(self) -> Any:
        """A model to train; equal on every call."""
        self._torch_only("model")
        return tiny_model()

    def data(self) -> TrainingData:
        """Rows that the model can learn."""
        self._torch_only("data")
        return tiny_data()

    def weights(self, model: Any) -> Arrays:
        """Everything that training changes, by name."""
        self._torch_only("weights")
        return torch_weights(model)

    def test_framework(self) -> None:
        """It says what models it trains."""
        assert isinstance(self.plugin.framework, str)
        assert self.plugin.framework, "framework is empty"

    def test_unused_options(self) -> None:
        """What it says it does not use are options of its own, each with a reason."""
        unused = self.create().unused()
        strange = sorted(set(unused) - set(self.plugin.Options.model_fields))
        assert not strange, f"unused names {', '.join(strange)}, which Options lacks"
        assert all(unused.values()), "unused gives no reason for some option"

    def test_fit(self, tmp_path: Path) -> None:
        """The model learns, the history is whole, and the best epoch's weights are what is left in the model."""
        model, data = self.model(), self.data()
        before, first = self.weights(model), self._score(model, data)
        records, result = self._fit(model, data, tmp_path)
        assert isinstance(result, FitResult), f"fit gave a {type(result).__name__}, not a FitResult"
        after = self.weights(model)
        changed = [name for name in after if name not in before or not np.array_equal(before[name], after[name])]
        assert changed, "fit changed no weight: train the model in place"
        self._check_history(result, data)
        assert [dict(r) for r in records] == [dict(r) for r in result.history], "progress was told another history"
        last = self._score(model, data)
        kept = next(r for r in result.history if r["epoch"] == result.best_epoch)
        assert math.isclose(last, kept[data.best], abs_tol=1e-3), (
            f"the weights in the model have {data.best} {last}, the record of the best epoch has {kept[data.best]}"
        )
        assert last >= first if data.maximize else last <= first, f"{data.best} went from {first} to {last}"

    def test_equal_seeds_give_equal_weights(self, tmp_path: Path) -> None:
        """Two runs end with the same weights, bit for bit."""
        check_equal(self._trained(tmp_path / "a"), self._trained(tmp_path / "b"), "two runs with one seed")

    def test_a_stopped_run_goes_on(self, tmp_path: Path) -> None:
        """Stopped after any record and called again, it ends with the weights of an undisturbed run."""
        whole = self._trained(tmp_path / "whole")
        for stop in (1, 2):
            folder = tmp_path / f"stopped-{stop}"
            told = 0

            def progress(record: Mapping[str, float], stop: int = stop) -> None:  # noqa: ARG001
                nonlocal told
                told += 1
                if told == stop:
                    raise StoppedError

            try:
                self._fit(self.model(), self.data(), folder, progress)
            except StoppedError:
                check_equal(whole, self._trained(folder), f"a run stopped after record {stop}")

    def test_a_finished_run_is_not_lost(self, tmp_path: Path) -> None:
        """Called again with the folder of a finished run, it ends with the same weights and the same history."""
        first, second = self.model(), self.model()
        one, two = (self._fit(model, self.data(), tmp_path)[1] for model in (first, second))
        check_equal(self.weights(first), self.weights(second), "a second call with the same folder")
        assert [dict(r) for r in one.history] == [dict(r) for r in two.history], "a second call gave another history"

    def test_outputs(self) -> None:
        """What a model answers: one row of float32 logits a row, the same twice, whatever is in the batch."""
        model, data = self.model(), self.data()
        first, second = self._logits(model, data), self._logits(model, data)
        check_equal({"logits": first}, {"logits": second}, "outputs")
        places, inputs = batches(data.validation, data.tensors)[0]
        alone = self.create().outputs(model, {name: array[:1] for name, array in inputs.items()})["logits"]
        np.testing.assert_allclose(alone, first[places[:1]], rtol=1e-4, atol=1e-5)

    def test_features(self) -> None:
        """One row of numbers a row, the same twice, or a PluginError."""
        data, strategy = self.data(), self.create()
        try:
            first = strategy.features(self.model(), data.validation, data.tensors)
        except PluginError:
            return
        assert first.shape[0] == len(data.validation), f"features has shape {first.shape}"
        assert first.ndim == 2, f"features has shape {first.shape}"
        assert first.dtype == np.float32, f"features is {first.dtype}, not float32"
        again = strategy.features(self.model(), data.validation, data.tensors)
        check_equal({"features": first}, {"features": again}, "features")

    def _check_history(self, result: FitResult, data: TrainingData) -> None:
        assert result.history, "the history is empty"
        for record in result.history:
            missing = {"epoch", "loss", data.best} - set(record)
            assert not missing, f"a record of the history lacks {', '.join(sorted(missing))}: {dict(record)}"
            assert all(math.isfinite(value) for value in record.values()), f"not finite: {dict(record)}"
        epochs = [record["epoch"] for record in result.history]
        assert epochs == sorted(set(epochs)), f"epochs do not rise: {epochs}"
        assert result.best_epoch in epochs, f"best_epoch {result.best_epoch} is none of {epochs}"

    def _trained(self, folder: Path) -> Arrays:
        model = self.model()
        self._fit(model, self.data(), folder)
        return self.weights(model)

    def _fit(
        self,
        model: Any,
        data: TrainingData,
        folder: Path,
        progress: Callable[[Mapping[str, float]], None] | None = None,
    ) -> tuple[list[Mapping[str, float]], Any]:
        folder.mkdir(parents=True, exist_ok=True)
        records: list[Mapping[str, float]] = []
        return records, self.create().fit(model, data, folder, self.seed, progress or records.append)

    def _score(self, model: Any, data: TrainingData) -> float:
        labels = np.asarray(data.validation["labels"])
        return data.metric(self._logits(model, data), labels)[data.best]

    def _logits(self, model: Any, data: TrainingData) -> NDArray[np.float32]:
        groups = []
        for places, inputs in batches(data.validation, data.tensors):
            outputs = self.create().outputs(model, inputs)
            assert "logits" in outputs, f"outputs gave {sorted(outputs)}; it must give 'logits'"
            shape, dtype = outputs["logits"].shape, outputs["logits"].dtype
            assert len(shape) == 2, f"outputs gave logits of shape {shape}"
            assert shape[0] == len(places), f"outputs gave {shape[0]} rows of logits for {len(places)}"
            assert dtype == np.float32, f"outputs gave logits as {dtype}, not float32"
            groups.append((places, {"logits": outputs["logits"]}))
        return scatter(groups, len(data.validation))["logits"]

    def _torch_only(self, hook: str) -> None:
        if self.plugin.framework != "torch":
            pytest.fail(f"framework is {self.plugin.framework!r}, so this contract needs a `{hook}` of its own")
