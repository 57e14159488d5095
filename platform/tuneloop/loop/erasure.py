"""One person's rows are erased: from the runs' frozen feedback, then from the prediction store.

The store comes last, as it alone knows which rows are theirs: an erasure that is cut off is done again whole, and one
that is done again erases what came in between.

What stays: the weights of models that learned from the rows; what steps of a run derived from them, until `tuneloop
runs --prune` removes it; backups; and rows that a server answered a moment ago and has not written yet.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from tuneloop.artifact import write_atomic
from tuneloop.monitoring.store import PredictionStore
from tuneloop.pipeline.runs.records import FEEDBACK


@dataclass(frozen=True, slots=True)
class Erased:
    """What an erasure found.

    Attributes:
        predictions: Rows deleted from the store, each with its label and its shadow.
        frozen: Rows deleted from frozen feedback.
        runs: The runs whose feedback held some: their models have learned from them.
    """

    predictions: int
    frozen: int
    runs: tuple[str, ...]


def erase_subject(store: PredictionStore, state: Path, subject: str) -> Erased:
    """Erase what is kept of one subject.

    Args:
        store: Where its predictions are.
        state: The project's `.tuneloop`.
        subject: As it stood in the header of its requests.

    Raises:
        SQLAlchemyError: The store cannot be reached; erase again.
        OSError: A run's feedback cannot be rewritten; erase again.
    """
    ids = set(store.ids_of(subject))
    frozen: dict[str, int] = {}
    if ids:
        for path in sorted((state / "runs").glob(f"*/{FEEDBACK}")):
            if gone := _without(path, ids):
                frozen[path.parent.name] = gone
    return Erased(store.erase(subject), sum(frozen.values()), tuple(frozen))


def _without(path: Path, ids: Collection[str]) -> int:
    """Rewrite frozen feedback without these keys; gives how many lines went."""
    lines = path.read_bytes().splitlines(keepends=True)
    kept = [line for line in lines if json.loads(line)["key"] not in ids]
    if len(kept) < len(lines):
        write_atomic(path, b"".join(kept))
    return len(lines) - len(kept)
