"""Connectionist temporal classification: frames to characters without knowing which belongs to which. Imports torch."""

from __future__ import annotations

import torch
from torch.nn import functional

from tuneloop.api import ABSENT

BLANK = 0
"""The output that stands for no character."""


def ctc(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """The mean over rows of the negative log-probability of their text, by the number of its characters.

    Graves et al. 2006, "Connectionist Temporal Classification". A text that has more characters than its sound has
    frames (one more for each character that repeats the one before) cannot be said in them, and has no loss.

    Args:
        logits: `[n, frames, characters]`, float32; frames behind the sound are `ABSENT`, the first character is the
            blank.
        labels: `int64 [n, characters]`, positions of the text's characters, negative behind the last one.
    """
    frames = (logits[..., 0] > ABSENT / 2).sum(dim=1)
    characters = (labels >= 0).sum(dim=1)
    # Absent frames are beyond the lengths, but a softmax over them must stay finite for the gradient.
    held = logits.masked_fill(logits <= ABSENT / 2, 0.0)
    return functional.ctc_loss(
        held.log_softmax(dim=-1).transpose(0, 1),
        labels.clamp(min=0),
        frames,
        characters,
        blank=BLANK,
        reduction="mean",
        zero_infinity=True,
    )
