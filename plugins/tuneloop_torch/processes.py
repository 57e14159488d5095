"""The processes that train one model together: torch's default group, where there is one. Imports torch."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import torch
import torch.distributed as dist

T = TypeVar("T")

_CHUNK = 64 * 2**20
"""Bytes of a file that are sent at a time."""


def count() -> int:
    """How many there are; 1 where this one is alone."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def rank() -> int:
    """Which of them this is, counted from 0."""
    return dist.get_rank() if count() > 1 else 0


def is_first() -> bool:
    """Whether this is the one that writes checkpoints."""
    return rank() == 0


def on_cpu() -> bool:
    """Whether the group can only exchange what is on the CPU."""
    return count() > 1 and dist.get_backend() == "gloo"


def wait() -> None:
    """Until all of them are here."""
    if count() > 1:
        dist.barrier()


def add_up(value: float) -> float:
    """The sum of the values of all of them, the same bits in each."""
    if count() == 1:
        return value
    total = torch.tensor([value], dtype=torch.float64, device=_device())
    dist.all_reduce(total)
    return float(total)


def gathered(value: T) -> list[T]:
    """The values of all of them, in order of their ranks."""
    if count() == 1:
        return [value]
    found: list[Any] = [None] * count()
    dist.all_gather_object(found, value)
    return found


def from_first(make: Callable[[], T]) -> T:
    """What the function gives in the first of them, which alone calls it; what it raises is raised in all."""
    if count() == 1:
        return make()
    told: list[Any] = [None, None]
    if is_first():
        try:
            told[0] = make()
        except Exception as error:
            told[1] = error
    dist.broadcast_object_list(told, src=0)
    if told[1] is not None:
        raise told[1]
    result: T = told[0]
    return result


def same_weights(module: torch.nn.Module) -> None:
    """Give all of them the weights and buffers of the first."""
    if count() > 1:
        for tensor in module.state_dict().values():
            sent = tensor.detach().to(_device()).contiguous()
            dist.broadcast(sent, src=0)
            tensor.copy_(sent)


def same_folder(folder: Path | None) -> Path | None:
    """A folder of the first: its path, with its files in each, also on machines that do not see the first one's."""
    if count() == 1:
        return folder
    shared = from_first(lambda: folder)
    if shared is None or all(gathered(shared.is_dir())):
        return shared
    absent = not shared.is_dir()
    for name in from_first(lambda: sorted(path.name for path in shared.iterdir() if path.is_file())):
        _send_file(shared / name, write=absent)
    wait()
    return shared


def _send_file(path: Path, *, write: bool) -> None:
    """Send one of the first one's files; those where it is missing write it."""
    size = from_first(lambda: path.stat().st_size)
    if write:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    for place in range(math.ceil(size / _CHUNK)):
        length = min(_CHUNK, size - place * _CHUNK)
        sent = torch.empty(length, dtype=torch.uint8, device=_device())
        if is_first():
            with path.open("rb") as file:
                file.seek(place * _CHUNK)
                sent.copy_(torch.frombuffer(bytearray(file.read(length)), dtype=torch.uint8))
        dist.broadcast(sent, src=0)
        if write:
            with path.open("ab") as file:
                file.write(sent.cpu().numpy().tobytes())


def dealt(positions: Sequence[int]) -> Sequence[int]:
    """This one's share of some positions: each goes to one of them."""
    return positions[rank() :: count()]


def _device() -> torch.device:
    """Where what is exchanged must be."""
    return torch.device("cpu") if on_cpu() else torch.device("cuda", torch.cuda.current_device())
