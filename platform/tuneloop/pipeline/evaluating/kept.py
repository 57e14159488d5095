"""What `baseline` keeps of the probe for later steps: its answers on test, and what it takes unseen training rows for.

The files are absent where a task's answers are of another kind.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuneloop.api import Predictions
from tuneloop.artifact import write_json
from tuneloop.pipeline.comparing.comparison import Judged
from tuneloop.pipeline.evaluating.left_out import left_out_probabilities

_PROBE, _TEXTS, _LEFT_OUT = "probe.npz", "probe.json", "left-out.npz"
_MOST_WORK = 4e9
"""Rows times features squared; more would take a minute."""


def keep_probe(folder: Path, judged: Judged) -> None:
    """Write the probe's answers on the test rows that it was asked for: numbers, or texts."""
    predictions, references = judged
    arrays = {"values": predictions.values, "references": references}
    if predictions.scores is not None:
        arrays["scores"] = predictions.scores
    if all(array.dtype != object for array in arrays.values()):
        np.savez(folder / _PROBE, allow_pickle=False, **arrays)
    elif all(isinstance(value, str) for value in predictions.values):
        write_json(folder / _TEXTS, {"values": list(predictions.values), "references": _plain(references)})


def load_probe(folder: Path, labels: tuple[str, ...]) -> Judged | None:
    """The probe's answers and their references; None where none were kept."""
    found = _load(folder / _PROBE)
    if found is not None:
        return Predictions(found["values"], found.get("scores"), labels), found["references"]
    if not (folder / _TEXTS).exists():
        return None
    texts = json.loads((folder / _TEXTS).read_bytes())
    return Predictions(_objects(texts["values"])), _objects(texts["references"])


def same_references(one: NDArray[Any], other: NDArray[Any]) -> bool:
    """Whether right answers are those of the same rows: of numbers, but for what reading and scaling them rounds."""
    if one.shape != other.shape:
        return False
    if one.dtype == object or other.dtype == object:
        return bool(_plain(one) == _plain(other))
    if np.issubdtype(one.dtype, np.floating):
        # What rounding leaves is a share of the largest numbers, also where a right answer is 0.
        largest = float(np.nanmax(np.abs(other), initial=0.0))
        return np.allclose(one, other, rtol=1e-4, atol=1e-6 * max(1.0, largest), equal_nan=True)
    return np.array_equal(one, other)


def keep_left_out(folder: Path, features: NDArray[Any], labels: NDArray[np.integer], classes: int) -> None:
    """Write what each training row is taken for by a model that has not seen it."""
    if features.ndim != 2 or labels.ndim != 1 or len(features) * float(features.shape[1]) ** 2 > _MOST_WORK:
        return
    probabilities = left_out_probabilities(features, labels, classes)
    np.savez(folder / _LEFT_OUT, allow_pickle=False, labels=labels, probabilities=probabilities.astype(np.float32))


def load_left_out(folder: Path) -> tuple[NDArray[np.int64], NDArray[np.float32]] | None:
    """Labels and probabilities of the first training rows that have a label; None where none were kept."""
    found = _load(folder / _LEFT_OUT)
    return None if found is None else (found["labels"], found["probabilities"])


def _load(path: Path) -> dict[str, NDArray[Any]] | None:
    if not path.exists():
        return None
    with np.load(path, allow_pickle=False) as found:
        return {name: found[name] for name in found.files}


def _plain(references: NDArray[Any]) -> Any:
    return json.loads(json.dumps(references.tolist()))


def _objects(values: list[Any]) -> NDArray[Any]:
    found = np.empty(len(values), dtype=object)
    found[:] = values
    return found
