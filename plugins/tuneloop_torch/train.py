"""One stage of training: a module, rows, a folder for checkpoints; the best epoch's weights end up in the module."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import PrinterCallback, TrainerCallback, TrainingArguments

from tuneloop.api import PluginError, Tensor, TrainingData
from tuneloop_torch import processes
from tuneloop_torch.augment import check_augment
from tuneloop_torch.callbacks import EarlyStop, Reporter, SaveBetweenEpochs
from tuneloop_torch.checkpoints import PREFIX, load_weights, newest_whole, read_state
from tuneloop_torch.compiling import check_compiler
from tuneloop_torch.device import training_device
from tuneloop_torch.features import FEATURES
from tuneloop_torch.history import epoch_records, evaluated_steps
from tuneloop_torch.loop import Loop
from tuneloop_torch.losses import UNKNOWN, Loss, balanced_weights, label_weights
from tuneloop_torch.options import TrainOptions
from tuneloop_torch.rows import Rows

Progress = Callable[[Mapping[str, float]], None]

_WITHOUT_CLASSES = {
    "span": "an answer that is a part of its row",
    "ctc": "a text that is read from frames",
    "mse": "a number",
    "likelihood": "a text that is written token by token",
}


@dataclass(frozen=True, slots=True)
class Stage:
    """What one stage did: a record an epoch, and the epoch whose weights are kept."""

    history: tuple[dict[str, float], ...]
    best_epoch: float


def train(
    module: Any,
    rows: Rows,
    validation: Rows,
    tensors: Sequence[Tensor],
    data: TrainingData,
    options: TrainOptions,
    folder: Path,
    seed: int,
    progress: Progress,
    *,
    epochs: int,
    learning_rate: float,
    head_learning_rate: float,
    first_epoch: int = 0,
    callbacks: Sequence[TrainerCallback] = (),
) -> Stage:
    """Train, or go on from the newest whole checkpoint in `folder`; a finished stage is only loaded.

    Args:
        module: `forward(**tensors)` gives `{"logits": ...}`; `head` is its last part.
        rows: Training rows; those with an unknown label are left out.
        validation: Picks the best epoch.
        tensors: The module's inputs.
        data: Loss, metric and direction.
        options: As the project states them.
        folder: Checkpoints of this stage alone.
        seed: Of row order and dropout.
        progress: Receives a record an epoch.
        epochs: Passes over the rows, at most.
        learning_rate: Peak rate of all but the head.
        head_learning_rate: Peak rate of the head.
        first_epoch: Epochs of earlier stages, added to every record.
        callbacks: More of what happens beside the steps.

    Raises:
        PluginError: There is nothing to train on, or an option does not fit the data.
    """
    check_classes(data, options)
    if data.loss == "cross_entropy" and rows.labels.ndim == 1 and bool((rows.labels == UNKNOWN).any()):
        rows = rows.select((rows.labels != UNKNOWN).nonzero()[0])
    if not len(rows) or not len(validation):
        raise PluginError(f"training needs rows in both parts: {len(rows)} to train on, {len(validation)} to validate")
    if not any(tensor.name == FEATURES for tensor in tensors):
        check_augment(options.augment, tensors, distills=options.distill is not None)
    folder.mkdir(parents=True, exist_ok=True)
    steps_per_epoch = math.ceil(len(rows) / options.batch_size)
    reporter = Reporter(progress, first_epoch)
    stop = _early_stop(data, options)
    loop = Loop(
        model=module,
        args=_arguments(folder, seed, options, data, epochs, learning_rate),
        callbacks=[reporter, *callbacks, *([stop] if stop else ())],
        rows=rows,
        validation=validation,
        tensors=tensors,
        data=data,
        loss=_loss(data, options, rows, module),
        head_learning_rate=head_learning_rate,
        group_by_length=options.group_by_length,
        precision=options.precision,
        options=options,
    )
    loop.remove_callback(PrinterCallback)
    if options.checkpoint_steps:
        loop.add_callback(SaveBetweenEpochs(options.checkpoint_steps, steps_per_epoch))
    if processes.count() > 1:
        # All of them began with one seed: their dropout would fall on the same places of different rows.
        torch.manual_seed((seed * 1_000_003 + processes.rank()) % 2**63)
    # What is partial is removed, so only one process looks.
    checkpoint = processes.same_folder(newest_whole(folder) if processes.is_first() else None)
    log = read_state(checkpoint)["log_history"] if checkpoint else []
    if len(epoch_records(log)) >= epochs or (stop is not None and stop.says_stop(log)):
        reporter.send(log)
    else:
        loop.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    stage = processes.from_first(lambda: _finish(module, folder, first_epoch))
    processes.same_weights(module)
    module.to("cpu").eval()
    return stage


def _finish(module: Any, folder: Path, first_epoch: int) -> Stage:
    last = newest_whole(folder)
    assert last is not None, "every epoch ends with a checkpoint"
    state = read_state(last)
    history = epoch_records(state["log_history"], first_epoch)
    best = state.get("best_global_step") or state["global_step"]
    load_weights(module, folder / f"{PREFIX}{best}")
    kept = history[evaluated_steps(state["log_history"]).index(best)]
    return Stage(history, kept["epoch"])


def _early_stop(data: TrainingData, options: TrainOptions) -> EarlyStop | None:
    if options.early_stopping is None:
        return None
    metric = options.early_stopping.metric or data.best
    if metric != data.best:
        raise PluginError(
            f"tune.early_stopping.metric is {metric!r}, but the best epoch is picked by {data.best!r}: "
            "both must be one metric"
        )
    return EarlyStop(metric, options.early_stopping.patience, maximize=data.maximize)


def check_classes(data: TrainingData, options: TrainOptions) -> None:
    """Refuse what is said of classes where there are none.

    Raises:
        PluginError: Labels are smoothed or classes weighed, and the loss reads no classes.
    """
    asked = {"label_smoothing": options.label_smoothing > 0, "class_weights": options.class_weights != "none"}
    for name, is_asked in asked.items():
        if is_asked and data.loss in _WITHOUT_CLASSES:
            raise PluginError(f"tune.{name} is for classes, and {_WITHOUT_CLASSES[data.loss]} has none; leave it out")


def _loss(data: TrainingData, options: TrainOptions, rows: Rows, module: Any) -> Loss:
    if options.class_weights == "none":
        return Loss(data.loss, options.label_smoothing)
    if data.loss == "binary_cross_entropy":
        return Loss(data.loss, options.label_smoothing, label_weights(rows.labels))
    classes = [parameter.shape[0] for parameter in module.head.parameters()][-1]
    return Loss(data.loss, options.label_smoothing, balanced_weights(rows.labels, classes))


def _arguments(
    folder: Path, seed: int, options: TrainOptions, data: TrainingData, epochs: int, learning_rate: float
) -> TrainingArguments:
    on_cpu = training_device().type == "cpu"
    if options.compile:
        check_compiler(training_device())
    return TrainingArguments(
        output_dir=str(folder),
        num_train_epochs=epochs,
        learning_rate=learning_rate,
        lr_scheduler_type="constant_with_warmup" if options.schedule == "constant" else options.schedule,
        warmup_steps=options.warmup_ratio,
        per_device_train_batch_size=options.batch_size,
        per_device_eval_batch_size=options.eval_batch_size,
        weight_decay=options.weight_decay,
        max_grad_norm=options.max_grad_norm,
        seed=seed,
        full_determinism=not on_cpu,
        use_cpu=on_cpu,
        dataloader_pin_memory=not on_cpu,
        remove_unused_columns=False,
        average_tokens_across_devices=False,
        ddp_backend="gloo" if processes.on_cpu() else None,
        torch_compile=options.compile,
        # A layer that is frozen in this epoch, or that the logits do not need, has no gradient to wait for.
        ddp_find_unused_parameters=True,
        eval_strategy="epoch",
        save_strategy="epoch",
        logging_strategy="epoch",
        logging_nan_inf_filter=False,
        metric_for_best_model=data.best,
        greater_is_better=data.maximize,
        report_to="none",
        disable_tqdm=True,
    )


def set_trainable(module: torch.nn.Module, names: set[str] | None) -> None:
    """Let gradients reach these parameters and no others; None: all of them."""
    for name, parameter in module.named_parameters():
        parameter.requires_grad_(names is None or name in names)
