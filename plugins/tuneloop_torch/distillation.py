"""What a student learns from its teacher's answers. Imports torch: import it inside functions."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.nn import functional

from tuneloop.api import ABSENT, LossName, PluginError, TrainingData
from tuneloop_torch.rows import Rows
from tuneloop_torch.sections import Distill


@dataclass(frozen=True, slots=True)
class Distillation:
    """Mixes the loss on labels with a loss on the teacher's logits (Hinton, Vinyals and Dean, 2015).

    Attributes:
        kind: With `cross_entropy`, the divergence of softened answers; with `binary_cross_entropy`, the same label by
            label; with `mse`, the squared difference.
        temperature: Both sides' logits are divided by it; the divergence is multiplied by its square, so that gradients
            stay of one size.
        alpha: The teacher's share.
    """

    kind: LossName
    temperature: float
    alpha: float

    def __call__(self, hard: torch.Tensor, logits: torch.Tensor, teacher: torch.Tensor, share: float) -> torch.Tensor:
        """`(1 - alpha) * hard + alpha * soft`, a scalar.

        Args:
            hard: The loss on labels.
            logits: The student's, `[n, k]` or `[n, places, k]`, places without a word filled with `ABSENT`.
            teacher: `[n, k]`; or `[n, words, k]`, filled with `ABSENT` behind a row's last word.
            share: Of these rows (or words) in the batch whose mean is wanted.
        """
        logits, teacher = logits.float(), teacher.float()
        if logits.ndim == 3:
            logits, teacher = (side[side[..., 0] > ABSENT / 2] for side in (logits, teacher))
        if self.kind == "mse":
            soft = functional.mse_loss(logits, teacher)
        elif self.kind == "binary_cross_entropy":
            soft = self.temperature**2 * functional.binary_cross_entropy_with_logits(
                logits / self.temperature, (teacher / self.temperature).sigmoid()
            )
        else:
            soft = self.temperature**2 * functional.kl_div(
                functional.log_softmax(logits / self.temperature, dim=1),
                functional.log_softmax(teacher / self.temperature, dim=1),
                reduction="batchmean",
                log_target=True,
            )
        return (1 - self.alpha) * hard + self.alpha * share * soft


def distillation(asked: Distill | None, data: TrainingData, rows: Rows) -> Distillation | None:
    """What the options ask for; None where they ask for nothing.

    Raises:
        PluginError: The task's loss has no such form, or the rows come without a teacher's answers.
    """
    if asked is None:
        return None
    if data.loss not in ("cross_entropy", "binary_cross_entropy", "mse"):
        raise PluginError(
            f"tune.distill: a task whose loss is {data.loss!r} cannot learn from a teacher's answers yet, only one "
            "that answers with classes, labels or numbers; leave it out"
        )
    if rows.teacher is None:
        raise PluginError("tune.distill: the rows to train on have no column `teacher` with the teacher's answers")
    return Distillation(data.loss, asked.temperature, asked.alpha)
