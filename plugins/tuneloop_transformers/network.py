"""The network: a pre-trained backbone, pooling, and one linear layer. Imports torch: import it inside functions."""

from __future__ import annotations

import inspect
from typing import Any

import torch
from torch import Tensor, nn

from tuneloop_transformers.headed import Headed
from tuneloop_transformers.options import Pooling


class PooledClassifier(Headed):
    """Token ids to logits and a pooled embedding; see `tuneloop.api.TorchModel`."""

    def __init__(self, backbone: Any, outputs: int, pooling: Pooling, dropout: float) -> None:
        drop_unused(backbone)
        super().__init__(backbone, backbone.config.hidden_size, outputs, dropout)
        self.pooling = pooling

    def features(self, **inputs: Tensor) -> Tensor:
        """The pooled backbone output `float32 [batch, hidden]`; padding never counts."""
        states = last_states(self.backbone, inputs)
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


def last_states(backbone: Any, inputs: dict[str, Tensor]) -> Tensor:
    """The last layer's states `[batch, length, hidden]`; without the cache that a model for generation would fill."""
    quiet = {"use_cache": False} if "use_cache" in inspect.signature(backbone.forward).parameters else {}
    states: Tensor = backbone(**inputs, **quiet, return_dict=True).last_hidden_state
    return states


def drop_unused(backbone: Any) -> None:
    """Remove a pooling layer that own pooling replaces: it would be trained, saved and exported for nothing."""
    optional = "add_pooling_layer" in inspect.signature(type(backbone).__init__).parameters
    if optional and getattr(backbone, "pooler", None) is not None:
        backbone.pooler = None


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
