"""The network of `causal-lm`: it scores the tokens it reads. Imports torch: import it inside functions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from tuneloop.api import ABSENT, PluginError
from tuneloop_transformers.network import layer_groups


class CausalNetwork(nn.Module):
    """A causal language model; see `tuneloop.api.DecoderModel`."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.backbone = model
        self._tied = _tied(model)
        self.register_state_dict_post_hook(_drop_tied)  # type: ignore[no-untyped-call]
        self.register_load_state_dict_pre_hook(_add_tied)  # type: ignore[no-untyped-call]

    @property
    def head(self) -> nn.Module:
        """The layer from states to logits of tokens; often the embedding's own weights."""
        layer: nn.Module = self.backbone.get_output_embeddings()
        return layer

    def features(self, **_: Tensor) -> Tensor:
        """There are none.

        Raises:
            PluginError: Always: no head can be trained apart from the rest.
        """
        raise PluginError("a language model has no head that is trained alone; choose tune.strategy: full")

    def forward(self, input_ids: Tensor, attention_mask: Tensor, scored: Tensor) -> dict[str, Tensor]:
        """`logits [batch, length, 1]`: the log-probability of each token; `ABSENT` where none is asked for."""
        found = self.backbone(input_ids=input_ids, attention_mask=attention_mask, use_cache=False).logits
        found = found[:, :-1].float()
        right = found.gather(-1, input_ids[:, 1:].unsqueeze(-1)).squeeze(-1) - found.logsumexp(dim=-1)
        wanted = (scored[:, 1:] == 1) & (attention_mask[:, 1:] == 1)
        first = right.new_full((right.shape[0], 1), ABSENT)
        return {"logits": torch.cat([first, right.masked_fill(~wanted, ABSENT)], dim=1).unsqueeze(-1)}

    def layer_groups(self) -> list[list[str]]:
        """Parameter names: the blocks from the top, then what lies below the first block."""
        return layer_groups(self)

    def decoder(self) -> nn.Module:
        """The model with a cache; see `tuneloop.api.DecoderModel`."""
        return CachedDecoder(self.backbone)

    def cache_sizes(self) -> list[tuple[int, int]]:
        """Heads and width of each layer's keys, as the model itself makes them."""
        with torch.no_grad():
            tokens = torch.zeros(1, 2, dtype=torch.long, device=self.backbone.device)
            cache = self.backbone(input_ids=tokens, use_cache=True).past_key_values
        layers = getattr(cache, "layers", ())
        if not layers or any(getattr(layer, "keys", None) is None for layer in layers):
            raise PluginError(
                f"{type(self.backbone).__name__} keeps no keys and values of its layers, so it cannot be exported"
            )
        return [(int(layer.keys.shape[1]), int(layer.keys.shape[3])) for layer in layers]

    def greedy(self, tokens: Sequence[int], most: int, stops: Sequence[int]) -> list[int]:
        """The most probable continuation by transformers' own `generate`."""
        given = torch.tensor([list(tokens)], device=self.backbone.device)
        with torch.no_grad():
            found = self.backbone.generate(
                input_ids=given,
                attention_mask=torch.ones_like(given),
                do_sample=False,
                num_beams=1,
                max_new_tokens=most,
                max_length=None,
                eos_token_id=list(stops) or None,
                pad_token_id=next(iter(stops), 0),
            )
        continued: list[int] = found[0, len(tokens) :].tolist()
        return continued


class CachedDecoder(nn.Module):
    """New tokens and the keys and values of those before, as plain tensors: what can be traced."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor, position_ids: Tensor, past: list[Tensor]
    ) -> tuple[Tensor, ...]:
        """Logits of the next tokens, then keys and values of each layer."""
        from transformers import DynamicCache

        cache = DynamicCache([(past[2 * i], past[2 * i + 1]) for i in range(len(past) // 2)])
        found = self.model(
            input_ids=input_ids,
            attention_mask=attention_mask,
            position_ids=position_ids,
            past_key_values=cache,
            use_cache=True,
        )
        kept = [tensor for layer in found.past_key_values.layers for tensor in (layer.keys, layer.values)]
        return (found.logits, *kept)


def _tied(model: nn.Module) -> dict[str, str]:
    """Names of tensors that are others under a second name, such as a head that is the embedding."""
    first: dict[int, str] = {}
    tied: dict[str, str] = {}
    for name, parameter in model.named_parameters(remove_duplicate=False):
        known = first.setdefault(id(parameter), name)
        if known != name:
            tied[f"backbone.{name}"] = f"backbone.{known}"
    return tied


def _drop_tied(module: Any, state: dict[str, Tensor], prefix: str, _: Any) -> None:
    """Shared tensors are written once: safetensors refuses a second name."""
    for name in module._tied:
        state.pop(prefix + name, None)


def _add_tied(module: Any, state: dict[str, Tensor], prefix: str, *_: Any) -> None:
    for name, known in module._tied.items():
        if prefix + known in state:
            state.setdefault(prefix + name, state[prefix + known])
