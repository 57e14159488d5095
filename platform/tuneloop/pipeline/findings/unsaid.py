"""Texts that a model of frames and characters (CTC) cannot learn, or cannot answer with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuneloop.api import Task
from tuneloop.pipeline.findings.finding import SHOWN, finding

Integers = NDArray[np.int64]


def needed_frames(targets: NDArray[np.integer]) -> Integers:
    """The fewest frames in which each text can be said, `int64 [n]`.

    One a character, and one more between two equal ones: a blank stands there (Graves et al. 2006, "Connectionist
    Temporal Classification", section 3.1).

    Args:
        targets: Positions of the characters, `[n, characters]`, negative behind the last one.
    """
    held = targets >= 0
    repeated = held[:, 1:] & (targets[:, 1:] == targets[:, :-1])
    return np.asarray(held.sum(axis=1) + repeated.sum(axis=1), dtype=np.int64)


def too_long(
    needed: Mapping[str, Integers], frames: Mapping[str, Integers], places: Mapping[str, Integers]
) -> list[dict[str, Any]]:
    """A finding where texts do not fit into the frames of their sounds: those have no loss.

    Args:
        needed: Fewest frames of the texts, by split.
        frames: Frames of their sounds, by split.
        places: Where the rows of each split stand in the data, `int64 [n]`; -1 where they do not.
    """
    over = {split: np.flatnonzero(needed[split] > frames[split]) for split in needed}
    counts = {split: len(at) for split, at in over.items() if len(at)}
    if not counts:
        return []
    split = next(iter(counts))
    worst = over[split][np.argmax((needed[split] - frames[split])[over[split]])]
    total = sum(map(len, needed.values()))
    text = (
        f"{sum(counts.values())} of {total} texts do not fit into the frames of their sounds ({_listed(counts)}), such "
        f"as one that needs {needed[split][worst]} where there are {frames[split][worst]}: they are not learned from, "
        "and cannot be answered"
    )
    rows = [place for split in counts for place in places[split][over[split]].tolist() if place >= 0]
    return [finding("texts too long", text, rows)]


def unknown_characters(
    task: Task, texts: Mapping[str, Sequence[Any]], places: Mapping[str, Integers]
) -> list[dict[str, Any]]:
    """A finding where texts that judge the model hold characters that no training text has: it cannot answer them.

    Characters count as texts are compared: without case and marks.

    Args:
        task: Its answers are texts, and it was fitted on the training rows.
        texts: Right answers by split, `train` among them.
        places: As for `too_long`.
    """
    # One by one between letters that are known anyway: an apostrophe counts only inside a word.
    beside = next((letter for letter in task.output_names[1:] if letter.isalnum()), "")
    said = [f"{beside}{letter}{beside}" for letter in task.output_names[1:]]
    known = {letter for values in (texts["train"], said) for letter in _letters(task, values)}
    seen: Counter[str] = Counter()
    counts: dict[str, int] = {}
    rows: list[int] = []
    for split in texts:
        if split == "train":
            continue
        for row, answers in enumerate(task.references(texts[split])):
            strange = set.intersection(*(set(answer) - known for answer in answers)) if answers else set()
            if strange:
                seen.update(strange)
                counts[split] = counts.get(split, 0) + 1
                rows += [int(place) for place in places[split][row : row + 1] if place >= 0]
    if not seen:
        return []
    most = ", ".join(f"{letter!r} (in {count})" for letter, count in seen.most_common(SHOWN))
    text = (
        f"{sum(counts.values())} texts that judge the model ({_listed(counts)}) hold characters that no training text "
        f"has: {most}{', ...' if len(seen) > SHOWN else ''}; it cannot answer them"
    )
    return [finding("unknown characters", text, rows)]


def _letters(task: Task, values: Sequence[Any]) -> set[str]:
    return {letter for answers in task.references(values) for answer in answers for letter in answer}


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{split} {count}" for split, count in counts.items())
