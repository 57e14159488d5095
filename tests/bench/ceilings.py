"""What the model can do at best on this machine: the ways to call it in a process, measured among the servers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.bench.inside import Pace, Setup, Turn
from tests.bench.starts import THREADS
from tests.bench.talk import Talker
from tests.bench.workloads import Workload


@dataclass(frozen=True)
class Way:
    """One way to call the model.

    Attributes:
        name: In the report.
        engine: See `Setup`.
        threads: Calls at the same time.
        intra: Threads inside a call.
        batch: Rows in a call.
    """

    name: str
    engine: str
    threads: int
    intra: int
    batch: int


def _ways(engine: str, sizes: Sequence[int]) -> list[Way]:
    return [
        Way(f"{engine} {threads}x{intra} threads, {size} a call", engine, threads, intra, size)
        for size in sizes
        for threads, intra in ((THREADS, 1), (1, THREADS))
    ]


WAYS: dict[str, list[Way]] = {
    "table": [Way("onnx 1x1 threads, 1 a call", "onnx", 1, 1, 1)],
    "encoder": _ways("onnx", (1, 8)),
    "mixed": [*_ways("onnx", (1,)), *_ways("onnx", (8, 32))],
    "int8": [*_ways("onnx", (1, 8)), *_ways("torch", (1, 8))],
}
"""Workload to the ways it is called in this run."""


class Ceiling:
    """A process that calls the model in one way.

    Args:
        way: How.
        workload: Model and rows.
        folder: Gets a file with the rows.
        checkpoint: Folder of the checkpoint, for torch.
    """

    def __init__(self, way: Way, workload: Workload, folder: Path, checkpoint: Path) -> None:
        self.name = way.name
        rows = folder / f"rows-{workload.name}.json"
        tensors = [{name: array.tolist() for name, array in one.tensors.items()} for one in workload.samples]
        rows.write_text(json.dumps(tensors), encoding="utf-8")
        model = workload.model.graph if way.engine == "onnx" else checkpoint
        setup = Setup.model_validate(
            {
                "engine": way.engine,
                "model": model,
                "rows": rows,
                "threads": way.threads,
                "intra": way.intra,
                "batch": way.batch,
            }
        )
        self._talker = Talker("tests.bench.inside", setup.model_dump_json())

    def measure(self, turn: Turn) -> Pace:
        """Call it for the time of a turn; the first time waits for the model to be loaded."""
        return Pace.model_validate_json(self._talker.ask(turn.model_dump_json()))

    def stop(self) -> None:
        """End the process."""
        self._talker.stop()
