"""The tokenizer of a language model, as options of the `prompt` preprocessor."""

from __future__ import annotations

from typing import Any

from tuneloop.api import PluginError
from tuneloop_transformers.checkpoint import Checkpoint, reading
from tuneloop_transformers.tokenizer import tokenizer_options


def prompt_options(checkpoint: Checkpoint, max_length: int) -> dict[str, Any]:
    """Tokenizer JSON, special ids, and what ends a text.

    Raises:
        PluginError: The checkpoint has no tokenizer in the JSON form of the `tokenizers` library, or no end token.
    """
    from transformers import AutoConfig, AutoTokenizer, GenerationConfig

    options = tokenizer_options(checkpoint, max_length)
    options.pop("tensors")
    with reading(checkpoint):
        config = AutoConfig.from_pretrained(**checkpoint.arguments)
        tokenizer = AutoTokenizer.from_pretrained(**checkpoint.arguments)
        arguments = dict(checkpoint.arguments)
        place = arguments.pop("pretrained_model_name_or_path")
        try:
            generation: Any = GenerationConfig.from_pretrained(place, **arguments)
        except OSError:
            generation = None
    stops: list[int] = []
    # The tokenizer's own comes first: it is the one that is learned.
    for value in (
        tokenizer.eos_token_id,
        getattr(generation, "eos_token_id", None),
        getattr(config, "eos_token_id", None),
    ):
        stops += [
            one for one in (value if isinstance(value, list) else [value]) if one is not None and one not in stops
        ]
    if not stops:
        raise PluginError(
            f"model.checkpoint {checkpoint.name!r} names no token that ends a text (eos_token): "
            "it could never learn where to stop"
        )
    template = tokenizer.chat_template
    return {
        **options,
        "stop_ids": stops,
        "chat_template": template if isinstance(template, str) else None,
        "template_words": {
            name: str(value) for name, value in tokenizer.special_tokens_map.items() if isinstance(value, str)
        },
    }
