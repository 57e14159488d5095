"""The steps of one epoch in one process, with no more around each than it needs. Imports torch.

`Trainer` runs them for several processes. For one, what it does around a step costs more than the step of a small
network: 1.8 ms against 1.2 ms for a table of 16 columns at 32 rows, measured on two cores of a server.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import torch

from tuneloop_torch.collator import Collator
from tuneloop_torch.rows import Rows
from tuneloop_torch.sampler import EpochSampler


def run_epoch(loop: Any, model: Any, epoch: int, steps: int, done: int, resumed: str | None, start_time: float) -> None:
    """Take the steps of an epoch that are left, then log, evaluate and save.

    Args:
        loop: A `Loop`, ready to train.
        model: What is trained.
        epoch: Counted from 0.
        steps: Of the epoch.
        done: Of these, by the run that is gone on with.
        resumed: The checkpoint whose random numbers the first step goes on with; None: those there are.
        start_time: Of the training, for its log.
    """
    batches = batches_of(loop.train_dataset, loop.data_collator, loop.sampler(), epoch)
    if resumed is not None:
        loop.restore_random(resumed)
    # Around each of these, the library's own version looks for other optimizers and devices.
    optimizer = getattr(loop.optimizer, "optimizer", loop.optimizer)
    learning = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    limit = loop.args.max_grad_norm or float("inf")
    norm, rate = None, None
    model.train()
    for step, batch in enumerate(itertools.islice(batches, done, None), done):
        loop.control = loop.callback_handler.on_step_begin(loop.args, loop.state, loop.control)
        loop.add_loss(loop.training_step(model, loop.moved(batch)))
        norm = torch.nn.utils.clip_grad_norm_(learning, limit)
        loop.control = loop.callback_handler.on_pre_optimizer_step(loop.args, loop.state, loop.control)
        optimizer.step()
        loop.control = loop.callback_handler.on_optimizer_step(loop.args, loop.state, loop.control)
        rate = loop.lr_scheduler.get_last_lr()[0]
        loop.lr_scheduler.step()
        optimizer.zero_grad()
        loop.state.global_step += 1
        loop.state.epoch = epoch + (step + 1) / steps
        loop.control = loop.callback_handler.on_step_end(loop.args, loop.state, loop.control)
        if loop.control.should_log or loop.control.should_evaluate or loop.control.should_save:
            loop.log_save_evaluate(model, norm, rate, epoch, start_time)
            model.train()
        if loop.control.should_epoch_stop or loop.control.should_training_stop:
            break
    loop.control = loop.callback_handler.on_epoch_end(loop.args, loop.state, loop.control)
    loop.log_save_evaluate(model, norm, rate, epoch, start_time)


def batches_of(rows: Rows, collator: Collator, sampler: EpochSampler, epoch: int) -> Iterator[dict[str, torch.Tensor]]:
    """The batches of an epoch, each made when it is asked for."""
    order, size = sampler.order(epoch), sampler.batch_size
    for start in range(0, len(order), size):
        yield collator.batch(rows, order[start : start + size])
