"""The tokenizer of a checkpoint, and which token of a word its model answers at, as options of `words`."""

from __future__ import annotations

from typing import Any

from tuneloop_transformers.checkpoint import Checkpoint, reading
from tuneloop_transformers.tokenizer import tokenizer_options

_SAMPLES = ("a", "the", "on")


def word_options(checkpoint: Checkpoint, max_length: int) -> dict[str, Any]:
    """The options of `tokenizer_options`, the marked token of a word, and whether words need a space before them.

    Raises:
        PluginError: The checkpoint has no tokenizer in the JSON form of the `tokenizers` library.
    """
    from transformers import AutoConfig

    options = tokenizer_options(checkpoint, max_length)
    with reading(checkpoint):
        config = AutoConfig.from_pretrained(**checkpoint.arguments)
    # Absent where they say what `words` does by itself: projects of checkpoints that need neither stay as they are.
    if sees_only_left(config):
        options["mark"] = "last"
    if needs_space(options["tokenizer"]):
        options["space"] = True
    return options


def sees_only_left(config: Any) -> bool:
    """Whether a model's state at a token knows nothing of the tokens behind it, as in GPT-2 and Llama.

    Such are the models that `transformers` has for going on with texts and not for filling gaps, and decoders by their
    configuration. Of a model that it names wrongly the last token of a word is as good as the first.
    """
    from transformers.models.auto.modeling_auto import (
        MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
        MODEL_FOR_MASKED_LM_MAPPING_NAMES,
    )

    if config.is_encoder_decoder:
        return False
    if getattr(config, "is_decoder", False):
        return True
    kind = config.model_type
    return kind in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES and kind not in MODEL_FOR_MASKED_LM_MAPPING_NAMES


def needs_space(tokenizer: str) -> bool:
    """Whether a tokenizer reads a word as in running text only with a space before it: byte-level ones do."""
    from tokenizers import Tokenizer

    plain = Tokenizer.from_str(tokenizer)

    def ids(*words: str) -> list[int]:
        return list(plain.encode(list(words), is_pretokenized=True, add_special_tokens=False).ids)

    def running(text: str) -> list[int]:
        return list(plain.encode(text, add_special_tokens=False).ids)

    return any(running(f"a {word}") == running("a") + ids(f" {word}") != running("a") + ids(word) for word in _SAMPLES)
