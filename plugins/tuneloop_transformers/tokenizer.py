"""The tokenizer of a checkpoint, as options of the `text` preprocessor."""

from __future__ import annotations

import inspect
from typing import Any

from tuneloop.api import PluginError
from tuneloop_transformers.checkpoint import Checkpoint, reading


def tokenizer_options(checkpoint: Checkpoint, max_length: int) -> dict[str, Any]:
    """Tokenizer JSON (without truncation and padding), special ids and the model's inputs.

    Raises:
        PluginError: The checkpoint has no tokenizer in the JSON form of the `tokenizers` library.
    """
    from tokenizers import Tokenizer
    from transformers import AutoConfig, AutoTokenizer

    with reading(checkpoint):
        config = AutoConfig.from_pretrained(**checkpoint.arguments)
        tokenizer = AutoTokenizer.from_pretrained(**checkpoint.arguments)
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        raise PluginError(
            f"model.checkpoint {checkpoint.name!r}: its tokenizer {type(tokenizer).__name__} has no JSON form "
            "(tokenizer.json), which serving needs; take a checkpoint with a fast tokenizer"
        )
    plain = Tokenizer.from_str(backend.to_str())
    plain.no_padding()
    plain.no_truncation()
    pad = next((i for i in (tokenizer.pad_token_id, tokenizer.eos_token_id) if i is not None), 0)
    limits = (max_length, tokenizer.model_max_length, getattr(config, "max_position_embeddings", max_length))
    return {
        "tokenizer": plain.to_str(),
        "max_length": int(min(limit for limit in limits if limit and limit > 0)),
        "tensors": _tensors(tokenizer.model_input_names, config),
        "pad_id": int(pad),
        "unknown_id": tokenizer.unk_token_id,
    }


def _tensors(names: list[str], config: Any) -> list[str]:
    from transformers import AutoModel

    accepted = inspect.signature(AutoModel._model_mapping[type(config)].forward).parameters
    optional = [name for name in ("token_type_ids",) if name in names and name in accepted]
    return ["input_ids", "attention_mask", *optional]
