"""The network of models that read a source and write a text. Imports torch: import it inside functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from tuneloop.api import ABSENT, PluginError
from tuneloop_transformers.tied import write_tied_once


class Seq2SeqNetwork(nn.Module):
    """An encoder and a decoder of transformers, such as T5, Marian, BART or Whisper.

    See `tuneloop.api.EncoderDecoderModel`.
    """

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.backbone = model
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
        raise PluginError("a model that writes texts has no head that is trained alone; choose tune.strategy: full")

    def forward(self, target_ids: Tensor, scored: Tensor, **source: Tensor) -> dict[str, Tensor]:
        """`logits [batch, places, 1]`: the log-probability of each token; `ABSENT` where none is asked for."""
        found = self.backbone(**source, decoder_input_ids=target_ids, use_cache=False).logits[:, :-1].float()
        right = found.gather(-1, target_ids[:, 1:].unsqueeze(-1)).squeeze(-1) - found.logsumexp(dim=-1)
        first = right.new_full((right.shape[0], 1), ABSENT)
        return {"logits": torch.cat([first, right.masked_fill(scored[:, 1:] != 1, ABSENT)], dim=1).unsqueeze(-1)}

    def layer_groups(self) -> list[list[str]]:
        """Parameter names: the decoder's blocks from the top, then the encoder's, then what lies below both."""
        groups: list[list[str]] = []
        placed: set[int] = set()
        names = {id(parameter): name for name, parameter in self.named_parameters()}
        for half in (self.backbone.get_decoder(), self.backbone.get_encoder()):
            # The outermost list: the parts of a block may be a list of their own.
            blocks = next((module for module in half.modules() if isinstance(module, nn.ModuleList)), nn.ModuleList())
            for block in reversed(blocks):
                held = [id(one) for one in block.parameters() if id(one) not in placed]
                placed.update(held)
                groups.append([names[one] for one in held])
        return [group for group in (*groups, [name for one, name in names.items() if one not in placed]) if group]

    def encoder(self) -> nn.Module:
        """What reads; see `tuneloop.api.EncoderDecoderModel`."""
        return SourceEncoder(self.backbone)

    def decoder(self) -> nn.Module:
        """What writes, with a cache; see `tuneloop.api.EncoderDecoderModel`."""
        return CachedSeq2SeqDecoder(self.backbone)

    def cache_sizes(self) -> list[tuple[int, int]]:
        """Heads and width of each layer's keys, as the model itself makes them."""
        from transformers.modeling_outputs import BaseModelOutput

        width = self.backbone.config.hidden_size
        with torch.no_grad():
            states = BaseModelOutput(torch.zeros(1, 2, width, device=self.backbone.device))
            tokens = torch.zeros(1, 2, dtype=torch.long, device=self.backbone.device)
            found = self.backbone(encoder_outputs=states, decoder_input_ids=tokens, use_cache=True).past_key_values
        layers = getattr(getattr(found, "self_attention_cache", None), "layers", ())
        if not layers or any(getattr(layer, "keys", None) is None for layer in layers):
            raise PluginError(
                f"{type(self.backbone).__name__} keeps no keys and values of its layers, so it cannot be exported"
            )
        return [(int(layer.keys.shape[1]), int(layer.keys.shape[3])) for layer in layers]

    def greedy(
        self,
        source: Mapping[str, Any],
        start: Sequence[int],
        most: int,
        stops: Sequence[int],
        *,
        forbidden: Sequence[int] = (),
        forbidden_first: Sequence[int] = (),
    ) -> list[list[int]]:
        """The most probable answers, one call a token."""
        device = self.backbone.device
        inputs = {name: torch.as_tensor(array, device=device) for name, array in source.items()}
        written: list[list[int]] = []
        with torch.no_grad():
            encoded, cache = self.backbone.get_encoder()(**inputs), None
            rows = encoded.last_hidden_state.shape[0]
            written = [[] for _ in range(rows)]
            new = torch.tensor([list(start)] * rows, device=device)
            for place in range(most):
                found = self.backbone(
                    encoder_outputs=encoded,
                    attention_mask=inputs.get("attention_mask"),
                    decoder_input_ids=new,
                    past_key_values=cache,
                    use_cache=True,
                )
                cache, logits = found.past_key_values, found.logits[:, -1]
                logits[:, [*forbidden, *(forbidden_first if place == 0 else ())]] = float("-inf")
                chosen = logits.argmax(dim=-1)
                for row, token in zip(written, chosen.tolist(), strict=True):
                    if not row or row[-1] not in stops:
                        row.append(token)
                if all(row[-1] in stops for row in written):
                    break
                new = chosen.unsqueeze(1)
        return written


class SourceEncoder(nn.Module):
    """Sources to what the cross attention of each layer of the decoder reads, as plain tensors."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, **source: Tensor) -> tuple[Tensor, ...]:
        """The mask of the places, then keys and values of each layer."""
        from transformers.modeling_outputs import BaseModelOutput

        states = self.model.get_encoder()(**source).last_hidden_state
        mask = source.get("attention_mask")
        if mask is None:
            mask = torch.ones(states.shape[:2], dtype=torch.long, device=states.device)
        # The decoder makes them for its first token, whatever that is; the rest of its work is not part of the graph.
        token = torch.zeros((states.shape[0], 1), dtype=torch.long, device=states.device)
        found = self.model(
            encoder_outputs=BaseModelOutput(states), attention_mask=mask, decoder_input_ids=token, use_cache=True
        )
        layers = found.past_key_values.cross_attention_cache.layers
        return (mask, *(tensor for layer in layers for tensor in (layer.keys, layer.values)))


class CachedSeq2SeqDecoder(nn.Module):
    """New tokens and the keys and values of those before, as plain tensors: what can be traced."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(
        self, input_ids: Tensor, source_mask: Tensor, past: list[Tensor], cross: list[Tensor]
    ) -> tuple[Tensor, ...]:
        """Logits of the next tokens, then keys and values of each layer's self attention."""
        from transformers import DynamicCache, EncoderDecoderCache
        from transformers.modeling_outputs import BaseModelOutput

        def cached(tensors: list[Tensor]) -> Any:
            return DynamicCache([(tensors[2 * i], tensors[2 * i + 1]) for i in range(len(tensors) // 2)])

        cache = EncoderDecoderCache(cached(past), cached(cross))
        cache.is_updated = dict.fromkeys(range(len(cross) // 2), True)
        # Attention asks for states of the source, and reads their keys and values from the cache.
        states = torch.zeros((*source_mask.shape, self.model.config.hidden_size), device=source_mask.device)
        found = self.model(
            encoder_outputs=BaseModelOutput(states),
            attention_mask=source_mask,
            decoder_input_ids=input_ids,
            past_key_values=cache,
            use_cache=True,
        )
        layers = found.past_key_values.self_attention_cache.layers
        return (found.logits, *(tensor for layer in layers for tensor in (layer.keys, layer.values)))
