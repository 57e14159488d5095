"""One person's rows are erased: from the runs' frozen feedback, then from the prediction store.

The store comes after the feedback, as it alone knows which rows are theirs: an erasure that is cut off is done again
whole, and one that is done again erases what came in between. Then the feedback is looked at once more: a run may have
frozen rows meanwhile.

What stays: the weights of models that learned from the rows; what steps of a run derived from them, until `tuneloop
runs --prune` removes it; backups; and rows that a server answered a moment ago and has not written yet.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from tuneloop.loop.deciding.frozen import drop_rows
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
    frozen = _dropped(state, ids)
    ids.update(store.ids_of(subject))
    predictions = store.erase(subject)
    frozen += _dropped(state, ids)
    return Erased(predictions, frozen.total(), tuple(sorted(frozen)))


def _dropped(state: Path, ids: Collection[str]) -> Counter[str]:
    """Delete frozen rows with these keys; gives how many, by run."""
    paths = sorted((state / "runs").glob(f"*/{FEEDBACK}")) if ids else ()
    # Adding counters leaves out the runs that held none.
    return +Counter({path.parent.name: drop_rows(path, ids) for path in paths})
