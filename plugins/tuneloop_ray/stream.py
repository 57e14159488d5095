"""A stream of items through the processes of a Ray cluster, in order: Ray Data, with a pool of actors."""

from __future__ import annotations

import importlib
import itertools
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from tuneloop.api import RunError, begin, pack_error, unpack_error
from tuneloop_ray.cluster import first_line
from tuneloop_ray.wire import pack, unpack

GROUP = 256
"""Items of one Ray Data pipeline: what is held in the cluster at a time."""


class Answerer:
    """One process of the pool: begins once, and answers items, which travel as JSON."""

    def __init__(self, entry: str, settings: Mapping[str, Any]) -> None:
        self._entry, self._settings = entry, settings
        self._answer: Callable[[Any], Any] | None = None

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        """The answers to a batch of packed items, or why there is none."""
        return {"answer": [self._one(item) for item in batch["item"]]}

    def _one(self, item: bytes) -> bytes:
        try:
            if self._answer is None:
                self._answer = begin(self._entry, self._settings)
            return pack({"answer": self._answer(unpack(item))})
        except Exception as error:
            return pack({"error": pack_error(error)})


def answer_stream(
    ray: Any, entry: str, settings: Mapping[str, Any], items: Iterable[Any], parallel: int, *, cpus: float, gpus: float
) -> Iterator[Any]:
    """The answers of `Launcher.run_stream`; a process that is lost is started again, and its items are repeated.

    Args:
        ray: The module, connected.
        entry: As in `Launcher.run_stream`.
        settings: The same.
        items: Read as they are needed.
        parallel: Processes.
        cpus: Cores each reserves.
        gpus: GPUs each reserves.
    """
    importlib.import_module("ray.data")
    context = ray.data.DataContext.get_current()
    context.execution_options.preserve_order = True
    context.enable_progress_bars = False
    # Its executor tells the terminal of every pipeline.
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    waiting = iter(items)
    while group := list(itertools.islice(waiting, GROUP)):
        rows = [{"item": pack(item)} for item in group]
        data = ray.data.from_items(rows, override_num_blocks=len(rows)).map_batches(
            Answerer,
            fn_constructor_args=(entry, dict(settings)),
            batch_size=1,
            compute=ray.data.ActorPoolStrategy(size=min(parallel, len(rows))),
            num_cpus=cpus,
            num_gpus=gpus,
        )
        try:
            for row in data.iter_rows():
                found = unpack(row["answer"])
                if "error" in found:
                    raise unpack_error(found["error"], "a process on the Ray cluster")
                yield found["answer"]
        except ray.exceptions.RayError as error:
            raise RunError(f"the Ray cluster cannot answer: {first_line(error)}") from error
