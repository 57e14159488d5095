"""The labelled rows a run would learn from: how many, whether they can be learned from, and their snapshot."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path

from tuneloop.api import RunError
from tuneloop.loop.deciding.frozen import MOST_ROWS, freeze
from tuneloop.loop.deciding.policy import Evidence
from tuneloop.monitoring.store import Counts, Labelled, PredictionStore
from tuneloop.monitoring.store_policy import hidden

MOST_CONFLICTS = 0.5
"""Share of repeated rows that may carry different labels: more is not a hard problem, it is a broken source."""
MOST_HIDDEN = 0.5
"""Share of the rows whose inputs may be hashed or left out, as where a project has just begun to do so, or ended it."""


class EvidenceReader:
    """Reads the prediction store for the policy. The rows themselves are read only when their number changed.

    Args:
        store: Where predictions and labels are; None: there is no store, and so no evidence.
        model: Whose.
        doubted: Why labels that could be learned from should not be; empty where nothing speaks against them.
    """

    def __init__(
        self,
        store: PredictionStore | None,
        model: str,
        doubted: Callable[[Sequence[Labelled]], str] = lambda _: "",
    ) -> None:
        self._store, self._model, self._doubted = store, model, doubted
        self._judged: tuple[tuple[float, Counts], str] | None = None

    def read(self, since: float) -> Evidence:
        """What there is of predictions made at or after this Unix second.

        Raises:
            SQLAlchemyError: The store cannot be reached.
        """
        store = self._store
        if store is None:
            return Evidence(0, 0)
        counts = store.counts(self._model, since)

        def judged() -> str:
            key = (since, counts)
            if self._judged is None or self._judged[0] != key:
                rows = store.labelled_rows(self._model, since, MOST_ROWS)
                learnable = [pair for pair in rows if not hidden(pair.prediction.row)]
                self._judged = (key, _kept_back(rows, learnable) or fault(learnable) or self._doubted(learnable))
            return self._judged[1]

        return Evidence(counts.predictions, counts.labelled, judged)

    def snapshot(self, path: Path) -> int:
        """Freeze all labelled rows as JSON lines of `key`, `row` and `label`; a snapshot that is there stays.

        Those of which something was hashed or left out in the store are not among them.
        Rows that an earlier champion learned from are in it: a run begins from the project's data, which lacks them.

        Returns:
            The number of rows.

        Raises:
            RunError: There is no prediction store.
        """
        if path.exists():
            with path.open("rb") as stream:
                return sum(1 for _ in stream)
        if self._store is None:
            raise RunError("there is no prediction store, so there are no labelled rows; serve with a store")
        return freeze(self._store, self._model, path)


def _kept_back(rows: Sequence[Labelled], learnable: Sequence[Labelled]) -> str:
    """Why too few rows hold the values the model was asked about; empty where enough do."""
    missing = len(rows) - len(learnable)
    if missing <= MOST_HIDDEN * len(rows):
        return ""
    return (
        f"{missing} of {len(rows)} labelled rows hold hashed or dropped inputs, as the project's `store` asks: nothing "
        "can be learned from them."
    )


def fault(rows: Sequence[Labelled]) -> str:
    """Why nothing can be learned from labelled rows; empty where something can."""
    labels: dict[str, set[str]] = defaultdict(set)
    repeats: dict[str, int] = defaultdict(int)
    for pair in rows:
        row = json.dumps(pair.prediction.row, sort_keys=True)
        labels[row].add(json.dumps(pair.label, sort_keys=True))
        repeats[row] += 1
    distinct = set().union(*labels.values()) if labels else set()
    if len(distinct) < 2:
        return f"All {len(rows)} labelled rows have the label {next(iter(distinct), 'none')}; nothing tells them apart."
    if len(labels) < 2:
        return f"All {len(rows)} labelled rows hold the same values."
    repeated = [row for row, count in repeats.items() if count > 1]
    conflicts = sum(1 for row in repeated if len(labels[row]) > 1)
    affected = sum(repeats[row] for row in repeated if len(labels[row]) > 1)
    if affected > MOST_CONFLICTS * len(rows):
        return f"{affected} of {len(rows)} labelled rows contradict an equal one ({conflicts} groups of equal rows)."
    return ""
