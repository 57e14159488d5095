"""The tokenizer of a model that reads a text and writes another, as options of the `text-to-text` preprocessor."""

from __future__ import annotations

from typing import Any

from tuneloop.api import PluginError
from tuneloop_transformers.checkpoint import Checkpoint, reading
from tuneloop_transformers.tokenizer import tokenizer_options


def pair_options(checkpoint: Checkpoint, max_length: int, max_target_length: int, max_tokens: int) -> dict[str, Any]:
    """Tokenizer JSON for both sides, what texts begin and end with, and what is never written.

    Raises:
        PluginError: The checkpoint has no tokenizer in the JSON form of the `tokenizers` library, or does not say what
            its texts begin or end with.
    """
    from transformers import AutoConfig

    source = tokenizer_options(checkpoint, max_length)
    longest = tokenizer_options(checkpoint, max_target_length)["max_length"]
    with reading(checkpoint):
        config = AutoConfig.from_pretrained(**checkpoint.arguments)
    said = [one for one in (_generation(checkpoint), config) if one is not None]
    start, stops = _first(said, "decoder_start_token_id"), _first(said, "eos_token_id")
    if not start or not stops:
        lacks = "decoder_start_token_id" if not start else "eos_token_id"
        raise PluginError(
            f"model.checkpoint {checkpoint.name!r} does not say what its texts {'begin' if not start else 'end'} with "
            f"({lacks}): is it an encoder-decoder model?"
        )
    bad = [one for one in (getattr(said[0], "bad_words_ids", None) or ()) if len(one) == 1]
    return {
        "source": source,
        "target": {
            "tokenizer": source["tokenizer"],
            # BART begins with a token that is always the same, and others with that of the language they write in.
            "start_ids": [*start, *_first(said, "forced_bos_token_id")],
            # transformers generates it, and counts it in the length of a text.
            "forced": len(_first(said, "forced_bos_token_id")),
            "stop_ids": stops,
            "pad_id": source["pad_id"],
            "max_length": longest,
            "max_tokens": min(max_tokens, longest - 2),
            "forbidden_ids": [
                *(_first(said, "suppress_tokens")),
                *(token for (token,) in bad),
            ],
            "forbidden_first_ids": _first(said, "begin_suppress_tokens"),
        },
    }


def _generation(checkpoint: Checkpoint) -> Any:
    from transformers import GenerationConfig

    arguments = dict(checkpoint.arguments)
    place = arguments.pop("pretrained_model_name_or_path")
    with reading(checkpoint):
        try:
            return GenerationConfig.from_pretrained(place, **arguments)
        except OSError:
            return None


def _first(said: list[Any], name: str) -> list[int]:
    """The tokens that the first of these names, as a list."""
    for one in said:
        value = getattr(one, name, None)
        if value is not None:
            return [int(token) for token in (value if isinstance(value, list | tuple) else [value])]
    return []
