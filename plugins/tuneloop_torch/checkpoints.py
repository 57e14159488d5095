"""Checkpoints of the loop: which of them is whole, what it holds, and its random and optimizer state without pickle."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file

from tuneloop.api import PluginError
from tuneloop_torch.processes import gathered, is_first, rank, wait

PREFIX = "checkpoint-"
STATE, WEIGHTS = "trainer_state.json", "model.safetensors"
_OPTIMIZER, _PROGRESS, _RANDOM = "optimizer.safetensors", "progress.json", "random.safetensors"


def newest_whole(folder: Path) -> Path | None:
    """The checkpoint with the most steps that was written to its end; partial ones are removed.

    The loop writes `trainer_state.json` last: a folder without a readable one was cut off.
    """
    steps: dict[int, Path] = {}
    for path in sorted(folder.glob(f"{PREFIX}*")):
        if not path.is_dir():
            continue
        if _is_whole(path):
            steps[int(path.name.removeprefix(PREFIX))] = path
        else:
            shutil.rmtree(path)
    return steps[max(steps)] if steps else None


def remove_old(folder: Path, keep: Collection[int | None]) -> None:
    """Remove every checkpoint but those of the steps to keep."""
    for path in folder.glob(f"{PREFIX}*"):
        if path.name.removeprefix(PREFIX) not in {str(step) for step in keep}:
            # The state goes first: a checkpoint that is half removed must not look whole.
            (path / STATE).unlink(missing_ok=True)
            shutil.rmtree(path)


def read_state(checkpoint: Path) -> dict[str, Any]:
    """The trainer's state: `global_step`, `log_history`, `best_global_step` and so on."""
    state: dict[str, Any] = json.loads((checkpoint / STATE).read_text(encoding="utf-8"))
    return state


def load_weights(model: torch.nn.Module, checkpoint: Path) -> None:
    """Put a checkpoint's weights into the model; it may lack those that are frozen.

    Raises:
        PluginError: It is of another model.
    """
    found = model.load_state_dict(load_file(checkpoint / WEIGHTS), strict=False)
    trained = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    if wrong := sorted((set(found.missing_keys) & trained) | set(found.unexpected_keys)):
        raise PluginError(
            f"{checkpoint} is of another model or other options: {wrong[0]!r} does not fit; remove the folder to begin "
            "again"
        )


def _is_whole(path: Path) -> bool:
    if not path.name.removeprefix(PREFIX).isdigit():
        return False
    if not all((path / name).is_file() for name in (WEIGHTS, _OPTIMIZER, _PROGRESS, _RANDOM)):
        return False
    try:
        return isinstance(read_state(path).get("global_step"), int)
    except (OSError, ValueError, AttributeError):
        return False


def save_optimizer(folder: Path, optimizer: Any, scheduler: Any) -> None:
    """Write optimizer moments as tensors, everything else as JSON."""
    state = optimizer.state_dict()
    tensors, plain = {}, {}
    for index, values in state["state"].items():
        for name, value in values.items():
            if isinstance(value, torch.Tensor):
                tensors[f"{index}/{name}"] = value.detach().cpu().contiguous()
            else:
                plain[f"{index}/{name}"] = value
    groups = {"groups": state["param_groups"], "plain": plain, "scheduler": scheduler.state_dict()}
    save_file(tensors, folder / _OPTIMIZER, metadata={"json": json.dumps(groups)})


def load_optimizer(folder: Path, optimizer: Any, scheduler: Any) -> None:
    """The inverse of `save_optimizer`."""
    from safetensors import safe_open

    with safe_open(folder / _OPTIMIZER, framework="pt") as file:
        rest = json.loads(file.metadata()["json"])
        values = {**{name: file.get_tensor(name) for name in file.keys()}, **rest["plain"]}  # noqa: SIM118
    state: dict[int, dict[str, Any]] = {}
    for name, value in values.items():
        index, field = name.split("/", 1)
        state.setdefault(int(index), {})[field] = value
    for group in rest["groups"]:
        group["betas"] = tuple(group["betas"])
    optimizer.load_state_dict({"state": state, "param_groups": rest["groups"]})
    scheduler.load_state_dict(rest["scheduler"])


def save_random(folder: Path, progress: Mapping[str, float]) -> None:
    """Write the state of every random number generator of all processes, and how far the epoch's loss was summed.

    Called in all processes of a group; the first one writes. Returns when all of it is written.
    """
    python = random.getstate()
    numpy = np.random.get_state(legacy=False)
    plain = {"python": [python[0], list(python[1]), python[2]], "numpy": _plain(numpy)}
    tensors = {"cpu": torch.random.get_rng_state()}
    if torch.cuda.is_available():
        tensors |= {f"cuda{index}": state for index, state in enumerate(torch.cuda.get_rng_state_all())}
    states = gathered((plain, tensors))
    if is_first():
        folder.mkdir(parents=True, exist_ok=True)
        first = {**states[0][0], "progress": dict(progress), "others": [state[0] for state in states[1:]]}
        (folder / _PROGRESS).write_text(json.dumps(first), encoding="utf-8")
        named = {_key(rank, name): value for rank, (_, found) in enumerate(states) for name, value in found.items()}
        save_file(named, folder / _RANDOM)
    wait()


def load_random(folder: Path) -> dict[str, float]:
    """Restore every random number generator of this process, and give back the progress that was saved with them.

    Where more processes train than did, those beyond keep the random numbers they have.
    """
    plain = json.loads((folder / _PROGRESS).read_text(encoding="utf-8"))
    progress: dict[str, float] = plain["progress"]
    states = [plain, *plain.get("others", ())]
    if rank() >= len(states):
        return progress
    version, internal, gauss = states[rank()]["python"]
    random.setstate((version, tuple(internal), gauss))
    state = states[rank()]["numpy"]
    state["state"]["key"] = np.array(state["state"]["key"], dtype=np.uint32)
    np.random.set_state(state)
    tensors = load_file(folder / _RANDOM)
    torch.random.set_rng_state(tensors[_key(rank(), "cpu")])
    for index in range(torch.cuda.device_count()):
        # A checkpoint from a machine without this device says nothing of it.
        if (value := tensors.get(_key(rank(), f"cuda{index}"))) is not None:
            torch.cuda.set_rng_state(value, index)
    return progress


def _key(rank: int, name: str) -> str:
    return name if rank == 0 else f"{rank}/{name}"


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _plain(item) for name, item in value.items()}
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value
