"""Our estimate without labels, against NannyML's on the same rows: the same calibration, the same figures."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tuneloop.monitoring.accuracy.estimate import estimate
from tuneloop.pipeline.evaluating.calibrate import fit_calibration

pytestmark = pytest.mark.slow

HERE = Path(__file__).parent
CHUNK = 400
SECONDS = 600.0
"""Patience on a slow machine; all takes about a minute."""
Sample = dict[str, NDArray[Any]]
CASES = {
    "two-bent": (2, 0.4, 1.0),
    "two-calibrated": (2, 1.0, -0.5),
    "three-bent": (3, 0.5, 1.0),
    "three-calibrated": (3, 1.0, 0.0),
    "seven-bent": (7, 2.5, 1.5),
}
"""Classes, how much too sure the scores are, and how much other things are asked later."""


@pytest.fixture(scope="module")
def oracle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with NannyML and what it needs beside the libraries that are here; this process never imports it."""
    folder = tmp_path_factory.mktemp("nannyml")
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    command += ["--no-deps", "--no-compile", "--target", str(folder), "-r", str(HERE / "requirements-nannyml.txt")]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=SECONDS)
    if done.returncode:
        pytest.skip(f"pip cannot install NannyML here: {done.stderr.strip().splitlines()[-1]}")
    return folder


def sample(seed: int, rows: int, classes: int, bend: float, shift: float) -> Sample:
    """Scores that are not the probabilities, except where `bend` is 1; `shift` moves what is asked."""
    random = np.random.default_rng(seed)
    logits = random.normal(size=(rows, classes)) * 2
    logits[:, 0] += shift
    true = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    bent = np.exp(logits * bend) / np.exp(logits * bend).sum(axis=1, keepdims=True)
    truth = (true.cumsum(axis=1) < random.uniform(size=(rows, 1))).sum(axis=1)
    return {"scores": bent, "answered": bent.argmax(axis=1), "truth": truth}


@pytest.fixture(scope="module")
def theirs(oracle: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, list[float]]]:
    """NannyML's figures of each case; it takes seconds to import, so one process makes all."""
    folder = tmp_path_factory.mktemp("rows")
    files = {name: folder / f"{name}.npz" for name in CASES}
    for name, file in files.items():
        reference, current = samples(name)
        sides = {f"reference_{key}": array for key, array in reference.items()}
        np.savez(file, **sides, **{f"current_{key}": array for key, array in current.items()})
    command = [sys.executable, HERE / "nannyml_worker.py", str(CHUNK), *files.values()]
    quiet = {"NML_DISABLE_USAGE_LOGGING": "true", "OMP_NUM_THREADS": "1"}
    environment = {**os.environ, **quiet, "PYTHONPATH": str(oracle)}
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=SECONDS, env=environment)
    assert done.returncode == 0, done.stderr
    return dict(zip(CASES, map(json.loads, done.stdout.splitlines()), strict=True))


def samples(name: str) -> tuple[Sample, Sample]:
    """The holdout, and what is asked later."""
    classes, bend, shift = CASES[name]
    return sample(classes, 2000, classes, bend, 0.0), sample(99, 1600, classes, bend, shift)


def ours(reference: Sample, current: Sample) -> dict[str, list[float]]:
    classes = reference["scores"].shape[1]
    calibration = fit_calibration(
        tuple(f"c{position:02d}" for position in range(classes)), reference["scores"], reference["truth"]
    )
    found: dict[str, list[float]] = {"accuracy": [], "f1": [], "roc_auc": []}
    for start in range(0, len(current["scores"]), CHUNK):
        scores = current["scores"][start : start + CHUNK]
        made = estimate(calibration(scores), scores, current["answered"][start : start + CHUNK])
        assert made is not None
        found["accuracy"].append(made.accuracy)
        # Of two classes NannyML scores the second one alone.
        found["f1"].append(float(made.f1[1]) if classes == 2 else made.macro_f1)
        found["roc_auc"].append(float(made.roc_auc[1]) if classes == 2 else made.macro_roc_auc)
    return found


@pytest.mark.parametrize("name", CASES)
def test_equal_to_nannyml(theirs: dict[str, dict[str, list[float]]], name: str) -> None:
    expected, found = theirs[name], ours(*samples(name))
    assert {figure: len(values) for figure, values in found.items()} == dict.fromkeys(expected, 4)
    for figure, values in expected.items():
        np.testing.assert_allclose(found[figure], values, rtol=0, atol=1e-6, err_msg=figure)
