"""The one training loop: Hugging Face `Trainer`, made repeatable. Imports torch: import it inside functions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from transformers import Trainer, TrainerControl

from tuneloop.api import PluginError, RunError, Tensor, TrainingData
from tuneloop_torch.checkpoints import WEIGHTS, load_optimizer, load_random, remove_old, save_optimizer, save_random
from tuneloop_torch.collator import Collator
from tuneloop_torch.device import Precision, autocast
from tuneloop_torch.history import PREFIX
from tuneloop_torch.inference import gather, run_batches
from tuneloop_torch.losses import Loss
from tuneloop_torch.rows import LABELS, Rows
from tuneloop_torch.sampler import EpochSampler


class Loop(Trainer):  # type: ignore[misc]
    """`Trainer` with this project's loss, row order, evaluation and pickle-free checkpoints."""

    optimizer: Any
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
        **arguments: Any,
    ) -> None:
        super().__init__(train_dataset=rows, eval_dataset=validation, data_collator=Collator(tensors), **arguments)
        # A forward with **inputs looks to Trainer as if it took the loss's own arguments.
        self.model_accepts_loss_kwargs = False
        self._rows, self._validation, self._tensors, self._data = rows, validation, tuple(tensors), data
        self._loss = loss
        self._head_learning_rate = head_learning_rate
        self._group_by_length = group_by_length
        self._precision: Precision = precision
        self._loss_sum, self._loss_steps = 0.0, 0

    def _get_train_sampler(self, train_dataset: Any = None) -> EpochSampler:  # noqa: ARG002
        return EpochSampler(self._rows.lengths, self.args.train_batch_size, self.args.seed, group=self._group_by_length)

    def create_optimizer(self, model: Any = None) -> Any:
        """AdamW over all parameters that can be trained: those of the head, then the rest; no decay on vectors."""
        if self.optimizer is None:
            model = self.model if model is None else model
            head = {id(parameter) for parameter in model.head.parameters()}
            groups: dict[tuple[bool, bool], list[torch.nn.Parameter]] = {}
            for parameter in model.parameters():
                if parameter.requires_grad:
                    groups.setdefault((id(parameter) in head, parameter.ndim >= 2), []).append(parameter)
            self.optimizer = torch.optim.AdamW(
                [
                    {
                        "params": parameters,
                        "lr": self._head_learning_rate if is_head else self.args.learning_rate,
                        "weight_decay": self.args.weight_decay if decays else 0.0,
                    }
                    for (is_head, decays), parameters in sorted(groups.items(), reverse=True)
                ],
                fused=True,
            )
        return self.optimizer

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: Any = None,  # noqa: ARG002
    ) -> Any:
        """The loss of one batch, and with `return_outputs` the logits."""
        tensors = {name: value for name, value in inputs.items() if name != LABELS}
        with autocast(self._precision, self.args.device):
            logits = model(**tensors)["logits"]
        loss = self._loss(logits, inputs[LABELS])
        return (loss, {"logits": logits}) if return_outputs else loss

    def training_step(self, model: Any, inputs: dict[str, Any], num_items_in_batch: Any = None) -> torch.Tensor:
        """One forward and backward pass.

        Raises:
            RunError: The loss is not finite.
        """
        loss: torch.Tensor = super().training_step(model, inputs, num_items_in_batch)
        value = float(loss)
        if not math.isfinite(value):
            raise RunError(
                f"the training loss became {value} at step {self.state.global_step + 1}; lower tune.learning_rate "
                f"({self.args.learning_rate}) or set tune.max_grad_norm"
            )
        self._loss_sum += value
        self._loss_steps += 1
        return loss

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Log; the epoch's loss is the mean over all its steps, also of those before a restart."""
        if "loss" in logs and self._loss_steps:
            logs["loss"] = self._loss_sum / self._loss_steps
            self._loss_sum, self._loss_steps = 0.0, 0
        super().log(logs, start_time)

    def evaluate(self, *_: Any, **__: Any) -> dict[str, float]:
        """Validation loss and metrics, on logits in row order and in float32.

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
        labels = self._validation.labels
        metrics = {PREFIX + name: float(value) for name, value in self._data.metric(logits, labels).items()}
        if PREFIX + self._data.best not in metrics:
            known = ", ".join(name.removeprefix(PREFIX) for name in metrics)
            raise PluginError(f"no validation metric is named {self._data.best!r}; there are: {known or 'none'}")
        with torch.no_grad():
            loss = self._loss(
                torch.from_numpy(logits).to(self.args.device), torch.from_numpy(labels).to(self.args.device)
            )
        metrics[PREFIX + "loss"] = float(loss)
        self.log(metrics)
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        folder = Path(output_dir or self.args.output_dir)
        folder.mkdir(parents=True, exist_ok=True)
        weights = self.model.state_dict() if state_dict is None else state_dict
        save_file({name: tensor.detach().cpu().contiguous() for name, tensor in weights.items()}, folder / WEIGHTS)

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        super()._save_checkpoint(model, trial)
        remove_old(Path(self.args.output_dir), {self.state.global_step, self.state.best_global_step})

    def _save_optimizer_and_scheduler(self, output_dir: str) -> None:
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
