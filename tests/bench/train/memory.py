"""`python -m tests.bench.train.memory STRATEGY OPTIONS`: the memory that training takes beyond the loaded model."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any


def peak(strategy: str, options: dict[str, Any]) -> float:
    """MiB, measured in a process of its own: the highest it ever had, less what it had before."""
    command = [sys.executable, "-m", "tests.bench.train.memory", strategy, json.dumps(options)]
    environment = {**os.environ, "MALLOC_ARENA_MAX": "1"}
    found = subprocess.run(command, capture_output=True, text=True, check=True, timeout=1800, env=environment)
    return float(found.stdout.split()[-1])


def _highest() -> float:
    # Of this program alone: what `getrusage` says begins with the peak of the process that started it.
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024


def main() -> None:
    """Train three steps on the longest rows."""
    import torch
    from tests.bench.train.data import Size, texts
    from tests.bench.train.models import minilm

    import tuneloop_torch

    torch.set_num_threads(1)
    strategy = next(one for one in tuneloop_torch.tuneloop_strategies() if one.name == sys.argv[1])
    options = strategy.Options(**{"epochs": 1, "batch_size": 32, **json.loads(sys.argv[2])})
    data, model = texts(Size(96, 8), 256), minilm()
    strategy(options).require(*(["peft"] if strategy.name == "lora" else []))
    before = _highest()
    with tempfile.TemporaryDirectory() as folder:
        strategy(options).fit(model, data, Path(folder), 0, lambda _: None)
    sys.stdout.write(f"{_highest() - before}\n")


if __name__ == "__main__":
    main()
