"""What a checkpoint says about the sounds it reads, as options of preprocessors."""

from __future__ import annotations

import json
from typing import Any

from tuneloop.api import PluginError, Preprocessor
from tuneloop_transformers.checkpoint import Checkpoint, reading


def spectrogram_options(checkpoint: Checkpoint, part: str) -> dict[str, int]:
    """Options of preprocessor `audio`: rate, window, hop and bands of a Whisper model.

    Raises:
        PluginError: The checkpoint says nothing about them, or is of another kind; `part` says who asks.
    """
    found = extractor(checkpoint)
    names = {"sampling_rate": "rate", "n_fft": "window", "hop_length": "hop", "feature_size": "bands"}
    if absent := [name for name in names if not isinstance(found.get(name), int)]:
        raise PluginError(
            f"model.checkpoint {checkpoint.name!r}: its feature extractor {found.get('feature_extractor_type')!r} has "
            f"no {', '.join(absent)}; {part} reads Whisper models. {json.dumps(found)[:200]}"
        )
    return {option: int(found[name]) for name, option in names.items()}


def extractor(checkpoint: Checkpoint) -> dict[str, Any]:
    """The settings of its feature extractor."""
    from transformers import AutoFeatureExtractor

    with reading(checkpoint):
        found: dict[str, Any] = AutoFeatureExtractor.from_pretrained(**checkpoint.arguments).to_dict()
    return found


def places_of(preprocessor: Preprocessor) -> int:
    """How many places a sound of preprocessor `audio` has."""
    return next(int(tensor.shape[1]) for tensor in preprocessor.tensors if tensor.name == "heard")
