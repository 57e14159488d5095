"""The tokens of a Whisper model, as options of the `speech-to-text` preprocessor."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tuneloop.api import PluginError
from tuneloop_transformers.checkpoint import Checkpoint, reading
from tuneloop_transformers.tokenizer import tokenizer_options

_TRANSCRIBE = "transcribe"


def target_options(checkpoint: Checkpoint, language: str | None, max_tokens: int) -> dict[str, Any]:
    """Tokenizer JSON, the tokens that texts begin and end with, and those that are never generated.

    Radford et al. 2022, "Robust Speech Recognition via Large-Scale Weak Supervision", section 2.3: start, language and
    task where the model knows several, no time stamps.

    Raises:
        PluginError: The checkpoint does not name them, or does not know the language.
    """
    from transformers import AutoConfig, GenerationConfig

    arguments = dict(checkpoint.arguments)
    with reading(checkpoint):
        config = AutoConfig.from_pretrained(**arguments)
        place = arguments.pop("pretrained_model_name_or_path")
        said = GenerationConfig.from_pretrained(place, **arguments)
    names = ("decoder_start_token_id", "no_timestamps_token_id", "eos_token_id")
    if absent := [name for name in names if getattr(said, name, None) is None]:
        raise PluginError(
            f"model.checkpoint {checkpoint.name!r}: its generation_config.json has no {', '.join(absent)}"
        )
    ends = said.eos_token_id if isinstance(said.eos_token_id, list) else [said.eos_token_id]
    start = [said.decoder_start_token_id, *_language(checkpoint, said, language), said.no_timestamps_token_id]
    options = tokenizer_options(checkpoint, max_tokens)
    return {
        "tokenizer": options["tokenizer"],
        "pad_id": options["pad_id"],
        "start_ids": start,
        "stop_ids": ends,
        "max_length": min(config.max_target_positions, max_tokens + len(start)),
        "max_tokens": max_tokens,
        "forbidden_ids": said.suppress_tokens or (),
        "forbidden_first_ids": said.begin_suppress_tokens or (),
    }


def _language(checkpoint: Checkpoint, said: Any, language: str | None) -> tuple[int, ...]:
    """The tokens of language and task; none for a model of one language."""
    if not getattr(said, "is_multilingual", False):
        return ()
    known: Mapping[str, int] = getattr(said, "lang_to_id", None) or {}
    names = ", ".join(sorted(name.strip("<|>") for name in known))
    if language is None:
        raise PluginError(
            f"model.checkpoint {checkpoint.name!r} knows many languages: say which one is spoken with model.language. "
            f"Known: {names}"
        )
    if f"<|{language}|>" not in known:
        raise PluginError(f"model.language {language!r}: the checkpoint does not know it. Known: {names}")
    return known[f"<|{language}|>"], said.task_to_id[_TRANSCRIBE]
