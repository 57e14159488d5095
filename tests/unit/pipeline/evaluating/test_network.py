from __future__ import annotations

import numpy as np
import pytest

from tuneloop.api import Encoded, FitResult, PluginError, RunError, Strategy
from tuneloop.pipeline.evaluating.network import run_model


class Fits(Strategy):
    name, framework = "fits", "numpy"

    def fit(self, model, data, folder, seed, progress):
        return FitResult((), 1.0)


class Sums(Fits):
    name = "sums"

    def outputs(self, model, inputs):
        return {"logits": inputs["x"].sum(axis=1, keepdims=True) * model}


class Short(Sums):
    name = "short"

    def outputs(self, model, inputs):
        return {"logits": np.zeros((1, 2), np.float32)}


def groups() -> list[Encoded]:
    """100 rows of two lengths, mixed; each row holds its own position."""
    even, odd = np.arange(0, 100, 2), np.arange(1, 100, 2)
    return [
        Encoded(tuple(even.tolist()), {"x": np.tile(even[:, None], (1, 3)).astype(np.float32)}, 3),
        Encoded(tuple(odd.tolist()), {"x": np.tile(odd[:, None], (1, 5)).astype(np.float32)}, 5),
    ]


def test_any_framework_runs_and_rows_keep_their_order() -> None:
    found = run_model(Sums(), 2.0, groups(), 100)["logits"][:, 0]
    positions = np.arange(100)
    np.testing.assert_array_equal(found, positions * np.where(positions % 2, 10, 6))


def test_a_strategy_that_cannot_run_its_models_is_told_what_it_lacks() -> None:
    with pytest.raises(PluginError, match=r"strategy 'fits' cannot run a tuned model of framework 'numpy'.*`outputs`"):
        run_model(Fits(), 2.0, groups(), 100)


def test_wrong_outputs_are_named() -> None:
    with pytest.raises(RunError, match=r"strategy 'short' gave the outputs \{'logits': \(1, 2\)\} for 50 rows"):
        run_model(Short(), 2.0, groups(), 100)
