"""What a base model costs: weights, time and memory of requests of one row, measured in a process of its own.

`python -m tuneloop.pipeline.choosing.cost ARGUMENT` measures; ARGUMENT is JSON, as `measure` writes it.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tuneloop.api import SCORED, TARGET_IDS, Arrays, Preprocessor, RunError
from tuneloop.pipeline.data.encoded import encode_rows
from tuneloop.pipeline.data.rows import model_rows
from tuneloop.pipeline.runs import parts
from tuneloop.pipeline.runs.cache import fresh
from tuneloop.pipeline.runs.step import Scope, StepContext, StepResult
from tuneloop.preprocessing.source import SourcePreprocessor

_ROWS = 20
_MODEL, _REQUESTS = "model", "requests"
_MEGABYTE = 1e6
_SECONDS = 1800


@dataclass(frozen=True, slots=True)
class Cost:
    """Number of weights; median milliseconds of one row; peak growth of the process in units of 10^6 bytes."""

    parameters: int
    latency_ms: float
    memory_mb: float


def measure(context: StepContext) -> Cost:
    """The cost of a prepared candidate, on the threads its project is served with.

    Args:
        context: As `judged.prepared` gives it.

    Raises:
        RunError: The process failed; says how.
    """
    base = parts.base_model(context)
    task, preprocessor = parts.load_task(context), parts.load_preprocessor(context)
    rows = parts.split_rows(context, "validation")
    rows = rows.select(range(min(len(rows), _ROWS)))
    requests = fresh(context.folder / _REQUESTS)
    for place, row in enumerate(model_rows(rows, parts.columns_of(context, rows))):
        np.savez(requests / f"{place:03}.npz", allow_pickle=False, **encode_rows(preprocessor, [row])[0].inputs)
    parts.seed_everything(context.project.tune.seed)
    folder = fresh(context.folder / _MODEL)
    base.save(base.build(context.project.root, task, preprocessor), task, folder)
    argument = {
        "root": str(context.project.root),
        "run": context.scope.request.run,
        "changes": dict(context.scope.changes),
        "folder": str(context.folder),
        "baseline": context.done["baseline"].output["preprocessor"],
    }
    done = subprocess.run(
        [sys.executable, "-m", "tuneloop.pipeline.choosing.cost", json.dumps(argument)],
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
        # Threads that spin while they wait for each other take twenty times as long beside other work.
        env={"OMP_WAIT_POLICY": "PASSIVE", **os.environ, "OMP_NUM_THREADS": str(context.project.serve.threads)},
    )
    if done.returncode:
        said = done.stderr.strip().rpartition("\n")[2]
        raise RunError(f"its cost cannot be measured: {said or f'the process ended with code {done.returncode}'}")
    found = json.loads(done.stdout.rpartition("\n")[2] or done.stdout.strip().rpartition("\n")[2])
    weights = count_weights(folder)
    # An allocator that had room left takes none anew: a model needs at least what its weights take.
    least = sum(path.stat().st_size for path in folder.rglob("*.safetensors")) / _MEGABYTE
    return Cost(weights, found["latency_ms"], max(found["memory_mb"], least))


def count_weights(folder: Path) -> int:
    """Number of weights in the safetensors files of a folder, from their headers."""
    total = 0
    for path in folder.rglob("*.safetensors"):
        with path.open("rb") as stream:
            (length,) = struct.unpack("<Q", stream.read(8))
            header = json.loads(stream.read(length))
        total += sum(int(np.prod(entry["shape"])) for name, entry in header.items() if name != "__metadata__")
    return total


def main(argument: dict[str, Any]) -> Cost:
    """Measure in this process; the number of weights is left 0."""
    from tuneloop.pipeline.searching.trial import scope_of
    from tuneloop.pipeline.searching.variant import variant

    scope: Scope = variant(scope_of(Path(argument["root"]), argument["run"]), argument["changes"])
    folder = Path(argument["folder"])
    done = StepResult("baseline", "", folder, {"preprocessor": argument["baseline"]}, 0.0, reused=True)
    context = StepContext(scope, folder, {"baseline": done})
    base = parts.base_model(context)
    strategy = parts.strategy(context, base)
    task, preprocessor = parts.load_task(context), parts.load_preprocessor(context)
    requests = []
    for path in sorted((folder / _REQUESTS).iterdir()):
        with np.load(path, allow_pickle=False) as found:
            requests.append({name: found[name] for name in found.files})

    def load() -> Any:
        return base.load(folder / _MODEL, task, preprocessor)

    def ask(model: Any, request: dict[str, Any]) -> None:
        if task.loss == "likelihood":
            write_as_many(model, request, preprocessor)
        else:
            strategy.outputs(model, request)

    # Once before: imports and caches of libraries are no cost of the model.
    model = load()
    ask(model, requests[0])
    del model
    gc.collect()
    before = _resident()
    _forget_peak()
    model = load()
    for request in requests[:2]:
        ask(model, request)
    taken = _times(lambda request: ask(model, request), requests)
    return Cost(0, sorted(taken)[len(taken) // 2] * 1e3, max(_peak() - before, 0) / _MEGABYTE)


def write_as_many(model: Any, request: Arrays, preprocessor: Preprocessor) -> list[int]:
    """Let a model write for a row, as many tokens as the right answer has: when it would end by itself is chance.

    Args:
        model: As `DecoderModel` or `EncoderDecoderModel` describes it.
        request: The encoded row with its right answer.
        preprocessor: That of the model.

    Returns:
        The tokens.
    """
    scored = request[SCORED][0]
    most = max(int(scored.sum()), 1)
    if isinstance(preprocessor, SourcePreprocessor):
        source = {name: array for name, array in request.items() if name not in (TARGET_IDS, SCORED)}
        (written,) = model.greedy(source, preprocessor.settings.target.start_ids, most, ())
        return list(written)
    prompt = request["input_ids"][0][: max(int(scored.argmax()), 1)].tolist()
    return list(model.greedy(prompt, most, ()))


def _times(ask: Callable[[dict[str, Any]], None], requests: Sequence[dict[str, Any]]) -> list[float]:
    taken = []
    for request in requests:
        begun = time.perf_counter()
        ask(request)
        taken.append(time.perf_counter() - begun)
    return taken


def _resident() -> int:
    """Bytes of memory this process has now; 0 where the system does not say."""
    return _status("VmRSS")


def _peak() -> int:
    """The most it had since `_forget_peak`, or ever."""
    return _status("VmHWM")


def _status(name: str) -> int:
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
            if line.startswith(f"{name}:"):
                return int(line.split()[1]) * 1024
    return 0


def _forget_peak() -> None:
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


if __name__ == "__main__":
    answer = os.fdopen(os.dup(1), "w", encoding="utf-8")
    # Libraries print; the answer must stand alone.
    os.dup2(2, 1)
    answer.write(json.dumps(asdict(main(json.loads(sys.argv[1])))))
    answer.close()
