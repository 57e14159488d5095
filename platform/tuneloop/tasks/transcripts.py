"""Transcripts as they are compared, and what a model of characters said, frame by frame, as a text. NumPy only."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuneloop.api import ABSENT, DataError, RequestError
from tuneloop.tasks.prefixes import most_probable

BLANK = "<blank>"
"""The output of a frame in which no character begins."""
_APOSTROPHES = str.maketrans({"\u2019": "'", "\u02bc": "'", "`": "'"})


def read_transcripts(value: Any) -> list[str]:
    """The texts of a reference answer: a text, or a list of texts that are all right; white space is one space.

    Raises:
        DataError: It is neither.
    """
    texts = [] if value is None else [value] if isinstance(value, str) else value
    if not isinstance(texts, list | tuple) or not all(isinstance(text, str) for text in texts):
        raise DataError(f"{value!r:.120} is no transcript; expected a text, or a list of texts that are right")
    return [one for text in texts if (one := " ".join(text.split()))]


def normal_transcript(text: str) -> str:
    """A text without case and marks, with one space between words: what is compared.

    Apostrophes inside a word stay; marks of every script (Unicode categories P and S) become spaces, full stops and
    commas inside a number vanish.
    """
    plain = unicodedata.normalize("NFKC", text).translate(_APOSTROPHES).casefold()
    kept = []
    for place, letter in enumerate(plain):
        inside = 0 < place < len(plain) - 1 and plain[place - 1].isalnum() and plain[place + 1].isalnum()
        if not unicodedata.category(letter).startswith(("P", "S")) or (letter == "'" and inside):
            kept.append(letter)
        elif not (letter in ".," and inside and plain[place - 1].isdigit() and plain[place + 1].isdigit()):
            kept.append(" ")
    return " ".join("".join(kept).split())


def spelt(logits: NDArray[Any], characters: Sequence[str], beams: int = 1) -> tuple[str, float]:
    """The text of one sound, and how sure the model was of it.

    With one beam it is what the most probable output of each frame says: repeated outputs are one character unless a
    blank stands between them (Graves et al. 2006, "Connectionist Temporal Classification", best path decoding). With
    more the most probable of so many texts is taken, see `most_probable`.

    Args:
        logits: `float32 [frames, characters]`; frames that hold no sound are `ABSENT`.
        characters: One an output; the first is `BLANK`.
        beams: How many texts are followed at once.

    Returns:
        The text with one space between words, and a probability a frame, 0 to 1: the geometric mean of the frames'
        highest ones, or with several beams the root of the text's own.
    """
    held = logits[logits[:, 0] > ABSENT / 2].astype(np.float64)
    if not len(held):
        return "", 0.0
    if beams > 1:
        outputs, score = most_probable(held, beams)
        return " ".join("".join(characters[place] for place in outputs).split()), float(np.exp(score / len(held)))
    best = held.argmax(axis=1)
    first = np.concatenate([[True], best[1:] != best[:-1]])
    text = "".join(characters[place] for place in best[first & (best != 0)].tolist())
    highest = held.max(axis=1, keepdims=True)
    sure = -np.log(np.exp(held - highest).sum(axis=1)).mean()
    return " ".join(text.split()), float(np.exp(min(sure, 0.0)))


def transcript_error(text: str, truth: Any) -> float:
    """0 where a text is a right one but for case and punctuation, 1 where it is not.

    Raises:
        RequestError: `truth` is no transcript.
    """
    try:
        right = read_transcripts(truth)
    except DataError as error:
        said = f"a label is a text, or a list of texts that are right, not {truth!r:.80}"
        raise RequestError(said, field="label") from error
    if not right:
        raise RequestError("a label is a text that is not blank", field="label")
    given = normal_transcript(text)
    return 0.0 if any(normal_transcript(one) == given for one in right) else 1.0
