"""Graphs that answer otherwise than the tuned model: refused where they must not, measured where they may."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tuneloop.api import VerificationError
from tuneloop.artifact import MODEL
from tuneloop.pipeline.delivering import export, verify
from tuneloop.pipeline.delivering.parity import compare_variants, difference
from tuneloop.pipeline.runs.cache import perform
from tuneloop.pipeline.runs.step import StepContext
from tuneloop.pipeline.runs.workflow import STEPS

pytest.importorskip("torch")

FLOAT, INT8 = "float32", "int8-dynamic"


@pytest.fixture(scope="module")
def steps(tmp_path_factory: pytest.TempPathFactory, write_project: Callable[..., Path], scope_of: Any) -> Any:
    """What a run shares, and the results of its steps up to the export."""
    scope = scope_of(write_project(tmp_path_factory.mktemp("parity") / "income", rows=300, epochs=3))
    done: dict[str, Any] = {}
    for step in STEPS[: STEPS.index(export.STEP) + 1]:
        done[step.name] = perform(step, scope, done)
    return scope, done


@pytest.fixture
def spoiled(steps: Any, tmp_path: Path) -> Callable[..., StepContext]:
    """A function that multiplies the weights of the last layer of the float graph, and puts it where a variant is."""

    def make(factor: float, variant: str = FLOAT, **allowed: float) -> StepContext:
        import onnx

        scope, done = steps
        scope = replace(scope, project=replace(scope.project, export=replace(scope.project.export, **allowed)))
        folder = shutil.copytree(done["export"].folder, tmp_path / "export")
        graph = onnx.load(folder / FLOAT / MODEL)
        ends = [weights for weights in graph.graph.initializer if weights.name.startswith("model.head.")]
        assert ends, [weights.name for weights in graph.graph.initializer]
        for weights in ends:
            changed = onnx.numpy_helper.to_array(weights) * np.float32(factor)
            weights.CopyFrom(onnx.numpy_helper.from_array(changed, weights.name))
        onnx.save(graph, folder / variant / MODEL)
        return StepContext(scope, tmp_path / "verify", {**done, "export": replace(done["export"], folder=folder)})

    return make


def test_a_graph_whose_weights_were_changed_is_refused(spoiled: Any) -> None:
    with pytest.raises(VerificationError, match=r"on \d+ validation rows the largest difference is .* allows 0.001"):
        verify.run(spoiled(1.2))


def test_changed_answers_are_refused_whatever_difference_is_allowed(spoiled: Any) -> None:
    with pytest.raises(VerificationError, match=r"and (\d+) answers changed \(\d+\.\d\d%; allowed are 0.00%\)"):
        verify.run(spoiled(-1.0, tolerance=1e9))


def test_every_variant_is_measured_on_the_same_rows(spoiled: Any) -> None:
    found = verify.run(spoiled(1.0))
    whole, small = found["differences"][FLOAT], found["differences"][INT8]
    assert found["parity"] == whole
    assert whole["rows"] == small["rows"]
    assert whole["changed_answers"] == 0
    assert whole["max_difference"] < 1e-4 < small["max_difference"] < 1.0


def test_a_smaller_variant_is_not_refused_for_its_difference(spoiled: Any) -> None:
    context = spoiled(-1.0, INT8)
    found = compare_variants(context, [FLOAT, INT8])
    assert found[FLOAT]["changed_answers"] == 0
    assert found[INT8]["changed_answers"] == found[INT8]["rows"]
    assert verify.run(context)["served"] == FLOAT


def test_what_is_not_finite_is_told_apart_from_what_was_not_measured(spoiled: Any) -> None:
    assert compare_variants(spoiled(np.inf, INT8), [INT8])[INT8]["max_difference"] is None


def test_differences_are_relative_to_large_numbers() -> None:
    assert difference(np.array([[0.5, 100.0]]), np.array([[0.6, 101.0]])) == pytest.approx(0.1)
    assert difference(np.array([[1.0]]), np.array([[np.nan]])) == float("inf")
