"""The one training loop: Hugging Face `Trainer`, made repeatable. Imports torch: import it inside functions."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from transformers import Trainer, TrainerControl

from tuneloop.api import NO_PLACE, PluginError, RunError, Tensor, TrainingData
from tuneloop_torch import processes
from tuneloop_torch.accumulate import WHOLE
from tuneloop_torch.augment import augment, pictures
from tuneloop_torch.checkpoints import (
    WEIGHTS,
    load_optimizer,
    load_random,
    load_weights,
    remove_old,
    save_optimizer,
    save_random,
)
from tuneloop_torch.collator import Collator
from tuneloop_torch.device import Precision, autocast
from tuneloop_torch.distillation import distillation
from tuneloop_torch.epoch import run_epoch
from tuneloop_torch.history import PREFIX, best_of, epoch_records, evaluated_steps
from tuneloop_torch.inference import gather, run_batches
from tuneloop_torch.losses import Loss
from tuneloop_torch.options import TrainOptions
from tuneloop_torch.penalty import add_l1
from tuneloop_torch.rates import parameter_groups
from tuneloop_torch.rows import LABELS, TEACHER, Rows
from tuneloop_torch.sampler import EpochSampler
from tuneloop_torch.schedules import polynomial
from tuneloop_torch.share import IDLE, ShareLoader, equal_parts
from tuneloop_torch.terms import Terms
from tuneloop_torch.undisturbed import undisturbed


class Loop(Trainer):  # type: ignore[misc]
    """`Trainer` with this project's loss, row order, evaluation and pickle-free checkpoints."""

    optimizer: Any
    lr_scheduler: Any
    control: TrainerControl

    def __init__(
        self,
        *,
        rows: Rows,
        validation: Rows,
        tensors: Sequence[Tensor],
        data: TrainingData,
        loss: Loss,
        head_learning_rate: float,
        group_by_length: bool,
        precision: Precision,
        options: TrainOptions,
        **arguments: Any,
    ) -> None:
        super().__init__(train_dataset=rows, eval_dataset=validation, data_collator=Collator(tensors), **arguments)
        # A forward with **inputs looks to Trainer as if it took the loss's own arguments.
        self.model_accepts_loss_kwargs = False
        self._rows, self._validation, self._tensors, self._data = rows, validation, tuple(tensors), data
        self._loss, self._terms = loss, Terms()
        self._head_learning_rate = head_learning_rate
        self._group_by_length = group_by_length
        self._precision: Precision = precision
        self._options = options
        self._distillation = distillation(options.distill, data, rows)
        self._pictures = pictures(tensors)
        self._loss_sum, self._loss_steps = 0.0, 0
        self._alone = processes.count() == 1 and self.args.n_gpu <= 1

    def _get_train_sampler(self, train_dataset: Any = None) -> EpochSampler:  # noqa: ARG002
        return EpochSampler(self._rows.lengths, self.args.train_batch_size, self.args.seed, group=self._group_by_length)

    def get_train_dataloader(self) -> Any:
        """Batches in the order of the epoch; of several processes, each gets its share of every batch."""
        if processes.count() == 1:
            return super().get_train_dataloader()
        return ShareLoader(self._rows, self.data_collator, self._get_train_sampler(), self.args.train_batch_size)

    def create_optimizer(self, model: Any = None) -> Any:
        """AdamW over all parameters that can be trained: those of the head, then the rest; no decay on vectors."""
        if self.optimizer is None:
            model = self.model if model is None else model
            groups = parameter_groups(
                model,
                self.args.learning_rate,
                self._head_learning_rate,
                self.args.weight_decay,
                self._options.layer_decay,
            )
            self.optimizer = torch.optim.AdamW(groups, fused=True)
        return self.optimizer

    def create_scheduler(self, num_training_steps: int, optimizer: Any = None) -> Any:
        """The schedule of the options."""
        optimizer = optimizer or self.optimizer
        # The optimizer itself: `run_epoch` passes by what is put around it.
        optimizer = getattr(optimizer, "optimizer", optimizer)
        if self._options.schedule != "polynomial" or self.lr_scheduler is not None:
            return super().create_scheduler(num_training_steps, optimizer)
        self.lr_scheduler = polynomial(
            optimizer,
            warmup=self.args.get_warmup_steps(num_training_steps),
            steps=num_training_steps,
            power=self._options.schedule_power,
        )
        self._created_lr_scheduler = True
        return self.lr_scheduler

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: Any = None,  # noqa: ARG002
    ) -> Any:
        """The loss of one batch or of a part of it, and with `return_outputs` the logits."""
        tensors = {name: value for name, value in inputs.items() if name not in (LABELS, TEACHER, WHOLE, IDLE)}
        mix = None
        if self._pictures and self._options.augment is not None:
            tensors, mix = augment(tensors, self._pictures, self._options.augment)
        with autocast(self._precision, self.args.device):
            logits = model(**tensors)["logits"]
        labels, whole = inputs[LABELS], inputs.get(WHOLE)
        loss = self._loss(logits, labels, whole)
        if whole is not None:
            self._terms.add(self._loss.terms(logits), idle=IDLE in inputs)
        if mix is not None:
            loss = mix.share * loss + (1 - mix.share) * self._loss(logits, labels[mix.order], whole)
        if self._distillation is not None:
            share = 1.0 if whole is None else int((labels != NO_PLACE).sum()) / int((whole != NO_PLACE).sum())
            loss = self._distillation(loss, logits, inputs[TEACHER], share)
        # The gradients of several processes are averaged, and their losses add up to that of the batch.
        loss = loss * (0.0 if IDLE in inputs else float(processes.count()))
        return (loss, {"logits": logits}) if return_outputs else loss

    def training_step(self, model: Any, inputs: dict[str, Any], num_items_in_batch: Any = None) -> torch.Tensor:
        """Forward and backward passes over one batch, in parts where the options ask for it.

        Raises:
            RunError: The loss is not finite.
        """
        shares = equal_parts(inputs, self._options.micro_batch_size)
        losses = []
        for place, part in enumerate(shares):
            if self._alone:
                found = self.compute_loss(model, part)
                found.backward()
                losses.append(found.detach())
                continue
            last = place == len(shares) - 1
            with contextlib.nullcontext() if last else self.accelerator.no_sync(model):
                losses.append(super().training_step(model, part, num_items_in_batch))
        if WHOLE in shares[0]:
            self._terms.to_mean(losses, model.parameters(), len(shares[0][WHOLE]))
        loss: torch.Tensor = losses[0] if len(losses) == 1 else torch.stack(losses).sum()
        if self._options.l1:
            add_l1(model.parameters(), self._options.l1)
        value = processes.add_up(float(loss)) / processes.count()
        if not math.isfinite(value):
            raise RunError(
                f"the training loss became {value} at step {self.state.global_step + 1}; lower tune.learning_rate "
                f"({self.args.learning_rate}) or set tune.max_grad_norm"
            )
        self._loss_sum += value
        self._loss_steps += 1
        return loss

    def _run_epoch(self, **given: Any) -> Any:
        if not self._alone:
            return super()._run_epoch(**given)
        resumed, epoch = given["resume_from_checkpoint"], given["epoch"]
        first = resumed is not None and epoch == given["epochs_trained"]
        return run_epoch(
            self,
            given["model"],
            epoch,
            given["steps_in_epoch"],
            given["steps_trained_in_current_epoch"] if first else 0,
            resumed if first else None,
            given["start_time"],
        )

    def sampler(self) -> EpochSampler:
        """The order of rows."""
        return self._get_train_sampler()

    def restore_random(self, checkpoint: str) -> None:
        """Go on with the random numbers of a checkpoint."""
        self._load_rng_state(checkpoint)

    def moved(self, batch: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """The batch on the device that trains."""
        device = self.args.device
        return batch if device.type == "cpu" else {name: tensor.to(device) for name, tensor in batch.items()}

    def add_loss(self, loss: torch.Tensor) -> None:
        """Count the loss of a step into the sum that `Trainer` logs."""
        self._tr_loss += loss

    def log_save_evaluate(self, model: Any, norm: Any, rate: float | None, epoch: int, start_time: float) -> None:
        """Do of these what the callbacks asked for."""
        self._maybe_log_save_evaluate(self._tr_loss, norm, model, None, epoch, None, start_time, learning_rate=rate)

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Log; the epoch's loss is the mean over all its steps, also of those before a restart."""
        if "loss" in logs and self._loss_steps:
            logs["loss"] = self._loss_sum / self._loss_steps
            self._loss_sum, self._loss_steps = 0.0, 0
        super().log(logs, start_time)

    def evaluate(self, *_: Any, **__: Any) -> dict[str, float]:
        """Validation loss and metrics, on logits in row order and in float32; where the data asks, of the model itself.

        Raises:
            PluginError: The metric that picks the best epoch is not among the metrics.
        """
        model = self.model.eval()
        batches = run_batches(
            lambda **inputs: model(**inputs)["logits"],
            self._validation,
            self._tensors,
            self.args.eval_batch_size,
            self.args.device,
        )
        logits = gather(batches, len(self._validation))
        # Told to the others, so that all of them stop, and keep an epoch, for the same numbers.
        metrics = processes.from_first(lambda: self._judge(logits))
        self.log(metrics)
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics

    def _judge(self, logits: NDArray[np.float32]) -> dict[str, float]:
        labels = self._validation.labels
        found = dict(self._data.metric(logits, labels))
        if self._data.judge is not None:
            with undisturbed():
                found |= self._data.judge(self.model)
        metrics = {PREFIX + name: float(value) for name, value in found.items()}
        if PREFIX + self._data.best not in metrics:
            known = ", ".join(name.removeprefix(PREFIX) for name in metrics)
            raise PluginError(f"no validation metric is named {self._data.best!r}; there are: {known or 'none'}")
        with torch.no_grad():
            loss = self._loss(
                torch.from_numpy(logits).to(self.args.device), torch.from_numpy(labels).to(self.args.device)
            )
        metrics[PREFIX + "loss"] = float(loss)
        return metrics

    def _determine_best_metric(self, metrics: dict[str, float], trial: Any) -> bool:  # noqa: ARG002
        """Note the best epoch so far, by all that was logged: a run that goes on decides as one that never stopped."""
        log = self.state.log_history
        records = epoch_records(log)
        best = best_of(records, self._data.best, maximize=self._data.maximize)
        if best is None:
            return False
        step = evaluated_steps(log)[best]
        self.state.best_metric, self.state.best_global_step = records[best][self._data.best], step
        return bool(step == self.state.global_step)

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        folder = Path(output_dir or self.args.output_dir)
        folder.mkdir(parents=True, exist_ok=True)
        weights = self.model.state_dict() if state_dict is None else state_dict
        learning = {id(parameter) for group in self.optimizer.param_groups for parameter in group["params"]}
        # What is never trained is as the base model made it, also when a run goes on.
        frozen = {name for name, parameter in self.model.named_parameters() if id(parameter) not in learning}
        kept = {name: tensor.detach().cpu().contiguous() for name, tensor in weights.items() if name not in frozen}
        save_file(kept, folder / WEIGHTS)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        load_weights(self.model if model is None else model, Path(resume_from_checkpoint))

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        super()._save_checkpoint(model, trial)
        if processes.is_first():
            remove_old(Path(self.args.output_dir), {self.state.global_step, self.state.best_global_step})

    def _save_optimizer_and_scheduler(self, output_dir: str) -> None:
        if processes.is_first():
            save_optimizer(Path(output_dir), self.optimizer, self.lr_scheduler)

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        if checkpoint is not None:
            load_optimizer(Path(checkpoint), self.optimizer, self.lr_scheduler)

    def _save_rng_state(self, output_dir: str) -> None:
        save_random(Path(output_dir), {"loss_sum": self._loss_sum, "loss_steps": self._loss_steps})

    def _load_rng_state(self, checkpoint: str | None) -> None:
        if checkpoint is not None:
            progress = load_random(Path(checkpoint))
            self._loss_sum, self._loss_steps = progress["loss_sum"], int(progress["loss_steps"])
