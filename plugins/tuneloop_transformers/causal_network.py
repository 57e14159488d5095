"""The network of `causal-lm`: it scores the tokens it reads. Imports torch: import it inside functions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from tuneloop.api import ABSENT, PluginError
from tuneloop_transformers.network import layer_groups
from tuneloop_transformers.packing import pack
from tuneloop_transformers.tied import write_tied_once


class CausalNetwork(nn.Module):
    """A causal language model; see `tuneloop.api.DecoderModel`.

    With `packs`, several short rows share a sequence while it is trained: their log-probabilities stay what they are.
    """

    def __init__(self, model: Any, packs: bool = False) -> None:
        super().__init__()
        self.backbone, self._packs = model, packs
        write_tied_once(self, model)

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
        if self._packs and self.training:
            packed = pack(attention_mask)
            tokens = packed.gather(input_ids)
            found = self.backbone(input_ids=tokens, position_ids=packed.positions, use_cache=False).logits
            right = packed.scatter(_right(found, tokens), input_ids.shape, ABSENT)[:, 1:]
        else:
            found = self.backbone(input_ids=input_ids, attention_mask=attention_mask, use_cache=False).logits
            right = _right(found, input_ids)[:, 1:]
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


def _right(logits: Tensor, tokens: Tensor) -> Tensor:
    """`[n, length]`: the log-probability of each token after those before it; 0 for the first."""
    found = logits[:, :-1].float()
    right: Tensor = found.gather(-1, tokens[:, 1:].unsqueeze(-1)).squeeze(-1) - found.logsumexp(dim=-1)
    return functional.pad(right, (1, 0))


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
