"""Whether `peers.evidently` is what Evidently computes: a sample of windows through the program itself.

Evidently needs `pandas<3` and so an environment of its own: install `requirements-evidently.txt` and name its Python
in `TUNELOOP_BENCH_EVIDENTLY`.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tests.bench.drift.peers import evidently
from tests.bench.drift.world import CHANGES, SIGNALS, WORLDS, signal

VARIABLE = "TUNELOOP_BENCH_EVIDENTLY"
_WORKER = Path(__file__).with_name("evidently_worker.py")


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far the recipe is from the program: columns compared, largest difference, columns with another verdict."""

    version: str
    columns: int
    difference: float
    other_verdicts: int


def check(seed: int) -> Agreement | None:
    """Compare on each traffic, without a change and with each; None where no environment is named."""
    python = os.environ.get(VARIABLE)
    if not python:
        return None
    pairs = _pairs(np.random.default_rng(seed))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "pairs.npz")
        arrays = {
            f"{i}/{side}/{name}": v for i, pair in enumerate(pairs) for side, t in pair.items() for name, v in t.items()
        }
        np.savez(path, **arrays)
        done = subprocess.run([python, str(_WORKER), str(path)], capture_output=True, text=True, check=True)
    told = json.loads(done.stdout)
    largest, other, columns = 0.0, 0, 0
    for pair, values in zip(pairs, told["values"], strict=True):
        for name, found in values.items():
            kind, rows = signal(name).kind, len(pair["reference"][name])
            ours = evidently(kind, pair["reference"][name], pair["current"][name])
            by_p = rows <= 1000
            largest = max(largest, abs(abs(ours) - found["value"]))
            other += (ours >= (-0.05 if by_p else 0.1)) != found["drift"]
            columns += 1
    return Agreement(told["version"], columns, largest, other)


def _pairs(random: np.random.Generator) -> list[dict[str, dict[str, Any]]]:
    pairs = []
    for world in (WORLDS[0], WORLDS[2]):
        reference = {kind.name: kind.draw(random, world.reference_rows) for kind in SIGNALS}
        clean = {kind.name: kind.draw(random, world.window_rows) for kind in SIGNALS}
        pairs.append({"reference": reference, "current": clean})
        for change in CHANGES:
            name = change.signal
            changed = change.change(random, clean[name])
            pairs.append({"reference": {name: reference[name]}, "current": {name: changed}})
    return pairs
