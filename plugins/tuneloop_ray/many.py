"""Many calls as tasks of a Ray cluster, some at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from tuneloop.api import Outcome, call, pack_error
from tuneloop_ray.cluster import first_line


def call_many(
    ray: Any,
    entry: str,
    arguments: Iterable[Mapping[str, Any]],
    parallel: int,
    *,
    cpus: float,
    gpus: float,
    retries: int,
) -> Iterator[Outcome]:
    """The outcomes of `Launcher.run_many`; tasks under way are ended when the caller asks for no more.

    Args:
        ray: The module, connected.
        entry: As in `tuneloop.api.Job`.
        arguments: The next one is asked for when a place is free.
        parallel: Tasks at a time, at most.
        cpus: Cores each reserves.
        gpus: GPUs each reserves.
        retries: How often a task whose process was lost is done again.
    """
    # A fresh process each: what a call leaves in memory or in torch's state meets no other.
    task = ray.remote(num_cpus=cpus, num_gpus=gpus, max_retries=retries, max_calls=1)(perform)
    waiting, running = enumerate(arguments), dict[Any, int]()
    try:
        while True:
            while len(running) < max(1, parallel) and (following := next(waiting, None)) is not None:
                running[task.remote(entry, dict(following[1]))] = following[0]
            if not running:
                return
            for reference in ray.wait(list(running))[0]:
                yield _outcome(ray, reference, running.pop(reference))
    finally:
        for reference in running:
            ray.cancel(reference, force=True)


def perform(entry: str, argument: Mapping[str, Any]) -> dict[str, Any]:
    """One call, on some node."""
    try:
        return {"answer": call(entry, argument, _dropped)}
    except Exception as error:
        return {"error": pack_error(error)}


def _outcome(ray: Any, reference: Any, position: int) -> Outcome:
    try:
        found = ray.get(reference)
    except Exception as error:
        return Outcome(position, error=f"its process on the Ray cluster was lost: {first_line(error)}")
    if "error" in found:
        said = found["error"]
        return Outcome(position, error=said["text"] if said["on_purpose"] else f"{said['type']}: {said['text']}")
    return Outcome(position, found["answer"])


def _dropped(record: Mapping[str, float]) -> None:
    """Nobody listens to one of many."""
