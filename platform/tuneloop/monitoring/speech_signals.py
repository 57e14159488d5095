"""Signals of models that write down what is said in a sound: how much that is, and how fast it was said."""

# `create` has the interface's arguments, of which each signal needs only some.
# ruff: noqa: ARG003
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuneloop.api import Column, Signal, SignalBatch, Tensor
from tuneloop.monitoring.generation_signals import generates
from tuneloop.tasks.transcripts import BLANK


def spells(output_names: Sequence[str]) -> bool:
    """Whether a model with these outputs gives each frame of a sound a character."""
    return len(output_names) > 0 and output_names[0] == BLANK


class _OfSpeech(Signal):
    """A signal that only models have whose answer is what a sound says."""

    kind = "number"

    @classmethod
    def create(
        cls, columns: Sequence[Column], tensors: Sequence[Tensor], output_names: Sequence[str], embedding_size: int
    ) -> Sequence[Signal]:
        """One signal for a model that reads a sound and answers a text."""
        sounds = [column.name for column in columns if column.kind == "audio"]
        return [cls(sounds[0])] if sounds and (spells(output_names) or generates(tensors)) else []

    def __init__(self, column: str) -> None:
        super().__init__()
        self.column = column


class TranscriptLength(_OfSpeech):
    """The number of characters of an answer."""

    name, label = "transcript-length", "transcript_length"

    def read(self, batch: SignalBatch) -> NDArray[Any]:
        """`float64 [n]`."""
        return np.array([_characters(answer) for answer in batch.answers], dtype=np.float64)


class SpeechRate(_OfSpeech):
    """Characters of an answer by the seconds of its sound: 0 where nothing is understood."""

    name, label = "speech-rate", "speech_rate"

    def read(self, batch: SignalBatch) -> NDArray[Any]:
        """`float64 [n]`; NaN where there is no sound."""
        seconds = np.full(len(batch.rows), np.nan)
        for position, row in enumerate(batch.rows):
            sound = getattr(row.get(self.column), "sound", None)
            if sound is not None:
                seconds[position] = len(sound.samples) / sound.rate
        found: NDArray[np.float64] = np.array([_characters(answer) for answer in batch.answers]) / seconds
        return found


def _characters(answer: Any) -> float:
    text = answer.get("text")
    return float(len(text)) if isinstance(text, str) else float("nan")
