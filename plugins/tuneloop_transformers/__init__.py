"""Base models from the `transformers` library: any encoder or decoder in a local folder or on the hub."""

from __future__ import annotations

from tuneloop.api import BaseModel, hookimpl
from tuneloop_transformers.audio import TransformersAudio
from tuneloop_transformers.base import Transformers
from tuneloop_transformers.causal import CausalLM
from tuneloop_transformers.ctc import Ctc
from tuneloop_transformers.image import TransformersImage
from tuneloop_transformers.seq2seq import Seq2Seq
from tuneloop_transformers.seq2seq_small import SmallSeq2Seq
from tuneloop_transformers.spans import TransformersSpans
from tuneloop_transformers.speech_seq2seq import SpeechSeq2Seq
from tuneloop_transformers.tokens import TransformersTokens

TUNELOOP_API = ">=1,<2"


@hookimpl
def tuneloop_base_models() -> list[type[BaseModel]]:
    """The base models of this folder."""
    return [
        Transformers,
        TransformersTokens,
        TransformersSpans,
        TransformersAudio,
        Ctc,
        SpeechSeq2Seq,
        TransformersImage,
        CausalLM,
        Seq2Seq,
        SmallSeq2Seq,
    ]
