"""Trainings that the tests of launchers let other processes do; found there by `PYTHONPATH`."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

FITS: dict[str, tuple[str, dict[str, Any]]] = {
    # Neither 15 nor 48 divides the 96 or 97 rows: the last batch holds a few of them, or one.
    "full": ("Full", {"epochs": 2, "learning_rate": 1e-3, "batch_size": 15, "checkpoint_steps": 4}),
    "last row alone": ("Full", {"epochs": 2, "learning_rate": 1e-3, "batch_size": 48, "group_by_length": False}),
    "in parts": (
        "Full",
        {"epochs": 2, "learning_rate": 1e-3, "batch_size": 21, "micro_batch_size": 4, "class_weights": "balanced",
         "l1": 1e-4, "label_smoothing": 0.1, "max_grad_norm": 0.1},
    ),
    "gradual": (
        "GradualUnfreezing",
        {"epochs": 3, "head_epochs": 2, "learning_rate": 1e-3, "batch_size": 16, "embeddings": True},
    ),
    "features": ("FeatureExtraction", {"epochs": 2, "batch_size": 16}),
    "lora": ("Lora", {"epochs": 2, "learning_rate": 1e-2, "batch_size": 16, "adapter_dropout": 0.0}),
    # Rows of unequal length: a token weighs the same, whichever process has read it, and in whichever part.
    "texts": ("Full", {"epochs": 2, "learning_rate": 1e-3, "batch_size": 9, "micro_batch_size": 2}),
    # What the model is asked after each epoch ends the training in all processes.
    "asked": ("Full", {"epochs": 9, "learning_rate": 1e-3, "batch_size": 15, "early_stopping": {"patience": 1}}),
}  # fmt: skip
LAST_ROW_ALONE = {"last row alone": 97}


def fit_all(argument, report):
    """Every fit above, and the hash of one with dropout: losses of each epoch by name."""
    import tiny

    folder, found = Path(argument["folder"]), {}
    for place, name in enumerate(argument["fits"]):
        strategy, options = FITS[name]
        if name in ("texts", "asked"):
            model, data = tiny.writer(), tiny.written()
            data = replace(data, judge=_alone(), best="told", maximize=True) if name == "asked" else data
        else:
            model, data = tiny.model(), tiny.data(train=LAST_ROW_ALONE.get(name, 96))
        result = _fit(strategy, {**options, "dropout": 0.0}, data, folder / str(place), report, model)[1]
        found[name] = {
            "loss": [record["loss"] for record in result.history],
            "validation_loss": [record["validation_loss"] for record in result.history],
            "hashes": _all_ranks(tiny.weights_hash(model)),
        }
    return found


def _alone():
    """What is asked of the model: a number that falls, and only in the first process."""
    told = iter([3.0, 2.0, 1.0])

    def judge(model):
        if _rank():
            raise AssertionError(f"process {_rank()} was asked too")
        return {"told": next(told)}

    return judge


def fit_killed(argument, report):
    """A fit with dropout in which processes kill themselves: `kills` holds rank and step of each, one an attempt."""
    import tiny
    import torch

    torch.set_num_threads(1)
    folder = Path(argument["folder"])
    for place, (rank, step) in enumerate(argument["kills"]):
        mark = folder / f"killed-{place}"
        if not mark.exists():
            if _rank() == rank:
                _kill_at(step, mark)
            break
    options = {"epochs": 3, "head_epochs": 1, "learning_rate": 1e-3, "batch_size": 16, "checkpoint_steps": 4}
    model, result = _fit("GradualUnfreezing", options, tiny.data(), folder / "run", report)
    return {"hash": tiny.weights_hash(model), "epochs": [record["epoch"] for record in result.history]}


def fit_broken(argument, report):
    """Only one process meets what is wrong, while the others wait for it."""
    from tuneloop.api import DataError

    if _rank() == 1:
        raise DataError("row 7 is odd")
    _all_ranks("waiting")


def _fit(
    strategy: str, options: dict[str, Any], data: Any, folder: Path, report: Any, model: Any = None
) -> tuple[Any, Any]:
    import tiny
    import torch

    import tuneloop_torch

    torch.set_num_threads(1)
    folder.mkdir(parents=True, exist_ok=True)
    model = tiny.model() if model is None else model
    cls = getattr(tuneloop_torch, strategy)
    return model, cls(cls.Options(**options)).fit(model, data, folder, 5, report)


def _rank() -> int:
    return int(os.environ.get("RANK", "0"))


def _all_ranks(value: Any) -> list[Any]:
    from tuneloop_torch.processes import gathered

    return gathered(value)


def _kill_at(step: int, mark: Path) -> None:
    """Kill this process before the given training step, counted over all its stages."""
    from tuneloop_torch.loop import Loop

    original, done = Loop.training_step, [0]

    def counted(self, *arguments, **rest):
        done[0] += 1
        if done[0] == step:
            mark.parent.mkdir(parents=True, exist_ok=True)
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return original(self, *arguments, **rest)

    Loop.training_step = counted


def die(argument, report):
    """One process is killed while the others wait for it."""
    if _rank() == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    _all_ranks("waiting")


def die_once(argument, report):
    """The first call with this folder kills its process, the next one answers."""
    mark = Path(argument["folder"])
    if not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return argument["value"]
