"""The network: a pre-trained backbone, pooling, and one linear layer. Imports torch: import it inside functions."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from tuneloop_transformers.options import Pooling


class PooledClassifier(nn.Module):
    """Token ids to logits and a pooled embedding; see `tuneloop.api.TorchModel`."""

    def __init__(self, backbone: Any, outputs: int, pooling: Pooling, dropout: float) -> None:
        super().__init__()
        drop_unused(backbone)
        self.backbone = backbone
        self.pooling = pooling
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(backbone.config.hidden_size, outputs))
        weight, bias = fresh_rows(outputs, backbone.config.hidden_size)
        with torch.no_grad():
            self.linear.weight.copy_(weight)
            self.linear.bias.copy_(bias)

    @property
    def linear(self) -> nn.Linear:
        """The layer whose rows belong to the outputs."""
        layer = self.head[1]
        assert isinstance(layer, nn.Linear)
        return layer

    def features(self, **inputs: Tensor) -> Tensor:
        """The pooled backbone output `float32 [batch, hidden]`; padding never counts."""
        states: Tensor = self.backbone(**inputs, return_dict=True).last_hidden_state
        if self.pooling == "cls":
            return states[:, 0].float()
        mask = inputs["attention_mask"]
        if self.pooling == "last":
            last = mask.sum(dim=1) - 1
            return states[torch.arange(states.shape[0], device=states.device), last].float()
        weights = mask.unsqueeze(-1).to(torch.float32)
        return (states.float() * weights).sum(dim=1) / weights.sum(dim=1).clamp(min=1.0)

    def forward(self, **inputs: Tensor) -> dict[str, Tensor]:
        """`logits [batch, outputs]` and `embedding [batch, hidden]`."""
        embedding = self.features(**inputs)
        return {"logits": self.head(embedding), "embedding": embedding}

    def layer_groups(self) -> list[list[str]]:
        """Parameter names: the head, then the blocks from the top, then what lies below the first block."""
        return layer_groups(self)


def drop_unused(backbone: Any) -> None:
    """Remove a pooling layer that own pooling replaces: it would be trained, saved and exported for nothing."""
    optional = "add_pooling_layer" in inspect.signature(type(backbone).__init__).parameters
    if optional and getattr(backbone, "pooler", None) is not None:
        backbone.pooler = None


def fresh_rows(count: int, width: int) -> tuple[Tensor, Tensor]:
    """Small weights `[count, width]` and zero biases `[count]` for new outputs; equal on every call."""
    generator = torch.Generator().manual_seed(count * 1_000_003 + width)
    return torch.randn(count, width, generator=generator) * 0.02, torch.zeros(count)


def match_rows(saved: Sequence[str], wanted: Sequence[str], weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
    """Rows for `wanted` outputs: those of `saved` ones kept by name, the others fresh."""
    new_weight, new_bias = fresh_rows(len(wanted), weight.shape[1])
    positions = {name: row for row, name in enumerate(saved)}
    for row, name in enumerate(wanted):
        if name in positions:
            new_weight[row], new_bias[row] = weight[positions[name]], bias[positions[name]]
    return new_weight, new_bias


def layer_groups(model: nn.Module) -> list[list[str]]:
    """Groups of parameter names, found from the longest list of modules in the backbone."""
    names = [name for name, _ in model.named_parameters()]
    lists = {name: module for name, module in model.named_modules() if isinstance(module, nn.ModuleList)}
    if not lists:
        return [
            [name for name in names if name.startswith("head.")],
            [name for name in names if not name.startswith("head.")],
        ]
    stack = max(lists, key=lambda name: len(lists[name]))
    blocks: list[list[str]] = [[] for _ in lists[stack]]
    head, below, above = [], [], []
    for name in names:
        if name.startswith("head."):
            head.append(name)
        elif name.startswith(f"{stack}."):
            blocks[int(name[len(stack) + 1 :].split(".", 1)[0])].append(name)
        elif any(blocks):
            above.append(name)
        else:
            below.append(name)
    # A final norm sits on the top block and is of no use without it.
    blocks[-1] += above
    return [group for group in (head, *reversed(blocks), below) if group]
