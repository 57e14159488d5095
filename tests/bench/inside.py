"""The graph without any server: threads that call one session as fast as they can.

`python -m tests.bench.inside SETUP` loads the model once, then reads one job a line (JSON) and answers each with one
line (JSON): see `Setup`, `Turn` and `Pace`.
"""

from __future__ import annotations

import itertools
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pydantic
from tests.bench.numbers import quantile

Batch = dict[str, Any]


class Setup(pydantic.BaseModel):
    """How the model is called.

    Attributes:
        engine: What computes: ONNX Runtime, or torch in eager mode.
        model: The ONNX file; for torch a folder with a checkpoint.
        rows: A file of JSON: a list of requests, each `{input name: [[...]]}` of one row.
        threads: Calls at the same time.
        intra: Threads inside a call.
        batch: Rows in a call; where they differ in length, the shorter ones are padded.
    """

    engine: Literal["onnx", "torch"]
    model: Path
    rows: Path
    threads: int
    intra: int
    batch: int = 1


class Turn(pydantic.BaseModel):
    """Seconds of warm-up and of measuring."""

    warm: float
    seconds: float


class Pace(pydantic.BaseModel):
    """Rows a second, seconds of a call (median and 99th percentile), and processor seconds a row."""

    rate: float
    p50: float
    p99: float
    cpu: float


def batches(requests: list[dict[str, list[list[float]]]], size: int) -> list[Batch]:
    """Requests joined in groups of `size`, each padded with 0 to its longest row."""
    joined: list[Batch] = []
    for start in range(0, len(requests) - size + 1, size):
        group = requests[start : start + size]
        one: Batch = {}
        for name, first in group[0].items():
            rows = [request[name][0] for request in group]
            dtype = np.int64 if isinstance(first[0][0], int) else np.float32
            one[name] = np.zeros((size, max(map(len, rows))), dtype)
            for position, row in enumerate(rows):
                one[name][position, : len(row)] = row
        joined.append(one)
    return joined


def _onnx(setup: Setup) -> Callable[[Batch], None]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = setup.intra
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = onnxruntime.InferenceSession(str(setup.model), options, providers=["CPUExecutionProvider"])

    def call(batch: Batch) -> None:
        session.run(["logits"], batch)

    return call


def _torch(setup: Setup) -> Callable[[Batch], None]:
    import torch
    from transformers import AutoModelForSequenceClassification
    from transformers.utils import logging

    # The new head has no weights in the checkpoint, which is no news.
    logging.set_verbosity_error()
    torch.set_num_threads(setup.intra)
    model = AutoModelForSequenceClassification.from_pretrained(setup.model, dtype=torch.float32).eval()

    def call(batch: Batch) -> None:
        # The mode belongs to a thread.
        with torch.inference_mode():
            model(**{name: torch.from_numpy(array) for name, array in batch.items()})

    return call


def run_turn(call: Callable[[Batch], None], work: list[Batch], size: int, threads: int, turn: Turn) -> Pace:
    """Call it from `threads` threads for the time of a turn."""
    started = time.perf_counter()
    begin = started + turn.warm
    end = begin + turn.seconds
    latencies: list[list[float]] = [[] for _ in range(threads)]
    calls = [0] * threads

    def keep_calling(number: int) -> None:
        for batch in itertools.islice(itertools.cycle(work), number, None):
            begun = time.perf_counter()
            call(batch)
            done = time.perf_counter()
            calls[number] += 1
            if begin <= done <= end:
                latencies[number].append(done - begun)
            if done >= end:
                return

    cpu = time.process_time()
    workers = [threading.Thread(target=keep_calling, args=(number,)) for number in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    spent = time.process_time() - cpu
    found = sorted(itertools.chain(*latencies))
    # Calls longer than the time to be measured: the pace of all of them is the best there is.
    rate = len(found) / turn.seconds if found else sum(calls) / (time.perf_counter() - started)
    return Pace(
        rate=rate * size,
        p50=quantile(found, 0.5),
        p99=quantile(found, 0.99),
        cpu=spent / (sum(calls) * size),
    )


def main() -> None:
    """Answer jobs until the input ends."""
    setup = Setup.model_validate_json(sys.argv[1])
    requests = pydantic.TypeAdapter(list[dict[str, list[list[float | int]]]]).validate_json(setup.rows.read_bytes())
    work = batches(requests, setup.batch)
    call = _onnx(setup) if setup.engine == "onnx" else _torch(setup)
    call(work[0])
    for line in sys.stdin:
        pace = run_turn(call, work, setup.batch, setup.threads, Turn.model_validate_json(line))
        sys.stdout.write(pace.model_dump_json() + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
