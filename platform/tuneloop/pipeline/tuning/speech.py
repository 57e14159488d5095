"""What `baseline` finds in rows of speech once texts are characters and sounds have frames."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tuneloop.api import Preprocessor, Task
from tuneloop.pipeline.data.check import stop_at
from tuneloop.pipeline.data.rows import open_rows, truths
from tuneloop.pipeline.data.split import PLACES
from tuneloop.pipeline.evaluating.spoken import frame_counts
from tuneloop.pipeline.findings.unsaid import Integers, needed_frames, too_long, unknown_characters
from tuneloop.pipeline.runs import parts
from tuneloop.pipeline.runs.step import StepContext

_SPLITS = ("train", "validation", "test", "golden")


def speech_findings(
    context: StepContext, task: Task, preprocessor: Preprocessor, encoded: Sequence[str]
) -> list[dict[str, Any]]:
    """Texts that do not fit into the frames of their sounds, and characters that no training text has.

    Args:
        context: Of the step that has encoded the rows.
        task: Fitted; its loss is `ctc`.
        preprocessor: Fitted.
        encoded: The splits in its folder.

    Raises:
        DataError: The project stops at one of them.
    """
    wanted, places = context.project.data.check, _places(context)
    found: list[dict[str, Any]] = []
    if "unknown characters" not in wanted.ignore:
        texts = {}
        for name in places:
            rows = parts.split_rows(context, name)
            texts[name] = truths(rows, parts.columns_of(context, rows))
        found += unknown_characters(task, texts, places)
    if "texts too long" not in wanted.ignore:
        model = parts.base_model(context).build(context.project.root, task, preprocessor)
        needed, frames = {}, {}
        for name in encoded:
            rows = open_rows(context.folder / name)
            counts = frame_counts(model, rows)
            if counts is not None:
                frames[name] = counts
                needed[name] = needed_frames(
                    np.asarray(rows.select_columns("labels").with_format("numpy")["labels"][:])
                )
        found += too_long(needed, frames, places)
    stop_at(found, wanted)
    return found


def _places(context: StepContext) -> dict[str, Integers]:
    """By split, where its rows stand in the data; -1 for those that came from traffic, were made, or are a sample."""
    file = context.file("split", PLACES)
    # Where base models are compared, the split is one of its own.
    known: dict[str, Integers] = {}
    if file.exists():
        with np.load(file, allow_pickle=False) as held:
            known = {name: held[name] for name in _SPLITS}
    counts = {name: len(parts.split_rows(context, name)) for name in _SPLITS if context.file("split", name).exists()}
    nowhere = np.full(max(counts.values()), -1, dtype=np.int64)
    return {name: np.concatenate([known.get(name, nowhere[:0]), nowhere])[:count] for name, count in counts.items()}
