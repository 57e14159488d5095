"""What happens beside the steps: progress, early stopping, checkpoints between epochs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from tuneloop_torch.history import epoch_records, has_stalled


class Reporter(TrainerCallback):  # type: ignore[misc]
    """Hands each finished epoch's record on; a resumed run first hands on those of the killed one."""

    def __init__(self, progress: Callable[[Mapping[str, float]], None], first_epoch: int) -> None:
        self._progress = progress
        self._first_epoch = first_epoch
        self._sent = 0

    def on_train_begin(self, _args: TrainingArguments, state: TrainerState, _control: TrainerControl, **_: Any) -> None:
        """Hand on what an earlier call had finished."""
        self.send(state.log_history)

    def on_evaluate(self, _args: TrainingArguments, state: TrainerState, _control: TrainerControl, **_: Any) -> None:
        """Hand on the epoch that was just evaluated."""
        self.send(state.log_history)

    def send(self, log: list[dict[str, Any]]) -> None:
        """Hand on every record that was not handed on yet."""
        records = epoch_records(log, self._first_epoch)
        for record in records[self._sent :]:
            self._progress(record)
        self._sent = len(records)


class EarlyStop(TrainerCallback):  # type: ignore[misc]
    """Stops after `patience` epochs without a new best; decided from the log, so that a resumed run agrees."""

    def __init__(self, metric: str, patience: int, *, maximize: bool) -> None:
        self._metric, self._patience, self._maximize = metric, patience, maximize

    def on_evaluate(self, _args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Stop where the log says so."""
        if self.says_stop(state.log_history):
            control.should_training_stop = True

    def says_stop(self, log: list[dict[str, Any]]) -> bool:
        """Whether training ends with this log."""
        values = [record[self._metric] for record in epoch_records(log)]
        return has_stalled(values, self._patience, maximize=self._maximize)


class SaveBetweenEpochs(TrainerCallback):  # type: ignore[misc]
    """Asks for a checkpoint every `steps` steps; the one at an epoch's end is the loop's own."""

    def __init__(self, steps: int, steps_per_epoch: int) -> None:
        self._steps, self._steps_per_epoch = steps, steps_per_epoch

    def on_step_end(self, _args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Save at the step, unless the epoch ends with it: its evaluation must be in its checkpoint."""
        if state.global_step % self._steps == 0 and state.global_step % self._steps_per_epoch != 0:
            control.should_save = True
