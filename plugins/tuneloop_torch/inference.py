"""Run a model over many rows without gradients, in batches of similar length, and give the results in row order."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from tuneloop.api import Arrays, PluginError, Tensor, scatter
from tuneloop_torch.collator import stack
from tuneloop_torch.device import Precision, autocast
from tuneloop_torch.processes import dealt, gathered
from tuneloop_torch.rows import Rows


def run_batches(
    call: Callable[..., torch.Tensor],
    rows: Rows,
    tensors: Sequence[Tensor],
    batch_size: int,
    device: torch.device,
    precision: Precision = "float32",
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
    """Positions and outputs `float32 [batch, width]` (or `[batch, places, width]`) of each batch, longest rows first.

    Each of several processes runs its share of the batches, which are those that one alone would run.

    Args:
        call: Keyword arguments named as `tensors` to the outputs; the caller has set evaluation mode.
        rows: What to run on.
        tensors: The inputs to hand over.
        batch_size: Rows a call.
        device: Where the model is.
        precision: Arithmetic of the call.
    """
    order = np.argsort(-rows.lengths, kind="stable")
    for start in dealt(range(0, len(order), batch_size)):
        positions = order[start : start + batch_size]
        inputs: dict[str, Any] = {
            tensor.name: torch.from_numpy(stack([rows.columns[tensor.name][row] for row in positions], tensor)).to(
                device
            )
            for tensor in tensors
        }
        with torch.no_grad(), autocast(precision, device):
            outputs = call(**inputs)
        yield positions, outputs.float().cpu().numpy()


def run_batch(model: Any, inputs: Arrays) -> Arrays:
    """All outputs of a model for one batch, float32.

    Args:
        model: A `torch.nn.Module` as `tuneloop.api.TorchModel` describes it.
        inputs: One array a model input.

    Raises:
        PluginError: It is no torch model.
    """
    if not isinstance(model, torch.nn.Module):
        raise PluginError(f"a tuned model must be a torch.nn.Module to be run; this is {type(model).__name__}")
    model.eval()
    with torch.no_grad():
        outputs = model(**{name: torch.from_numpy(array) for name, array in inputs.items()})
    return {name: tensor.float().numpy() for name, tensor in outputs.items() if tensor is not None}


def logits_of(model: Any, rows: Rows, tensors: Sequence[Tensor], batch_size: int) -> NDArray[np.float32]:
    """The model's logits in row order; the model is left in evaluation mode."""
    model.eval()
    device = next(model.parameters()).device
    found = run_batches(lambda **inputs: model(**inputs)["logits"], rows, tensors, batch_size, device)
    return gather(found, len(rows))


def gather(batches: Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]], count: int) -> NDArray[np.float32]:
    """Outputs of all batches of all processes in row order, `float32 [count, width]` or `[count, places, width]`."""
    groups = [(positions.tolist(), {"outputs": outputs}) for positions, outputs in batches]
    found = scatter([group for part in gathered(groups) for group in part], count)
    return found.get("outputs", np.empty((count, 0), dtype=np.float32))
