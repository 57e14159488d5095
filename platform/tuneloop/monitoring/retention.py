"""Old rows are deleted in small batches, each in a short transaction of its own: writers wait for none of them."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

import sqlalchemy as sa

from tuneloop.monitoring.metrics import Metrics
from tuneloop.monitoring.store import PredictionStore
from tuneloop.monitoring.tables import labels, predictions, shadows

logger = logging.getLogger(__name__)

BATCH_ROWS = 500
"""Rows a transaction deletes: some milliseconds."""
PAUSE_SECONDS = 0.05
"""Between two batches: whoever waits to write gets its turn."""
LOOK_SECONDS = 60.0


def expire(store: PredictionStore, model: str, before: float, rows: int = BATCH_ROWS) -> int:
    """Delete the oldest predictions of a model made before a Unix second, with labels and shadows: one batch.

    Labels and shadows as old that never found a prediction go too.

    Returns:
        How many predictions, and labels and shadows without one, were deleted; 0: nothing is left to delete.
    """
    old = (
        sa.select(predictions.c.id)
        .where(predictions.c.model == model, predictions.c.time < before)
        .order_by(predictions.c.time)
        .limit(rows)
        # Several workers delete at once: each takes other rows.
        .with_for_update(skip_locked=True)
    )
    found = store.delete(lambda _: old)
    if found:
        return found
    with store.connect(write=True) as connection:
        for table in (labels, shadows):
            alone = ~sa.exists().where(predictions.c.id == table.c.prediction_id)
            waiting = sa.select(table.c.prediction_id).where(~table.c.joined, table.c.time < before, alone).limit(rows)
            gone = connection.scalars(waiting.with_for_update(skip_locked=True)).all()
            if gone:
                connection.execute(sa.delete(table).where(table.c.prediction_id.in_(gone)))
                found += len(gone)
        return found


class Retention:
    """A thread that deletes what is too old, once a minute.

    Args:
        store: Of predictions.
        metrics: The collectors of this process.
        model: Whose predictions, and the `model` label.
        seconds: How long a prediction is kept.
        look: Seconds between two looks.
        pause: Seconds between two batches.
        clock: Unix seconds.
    """

    def __init__(
        self,
        store: PredictionStore,
        metrics: Metrics,
        model: str,
        seconds: float,
        *,
        look: float = LOOK_SECONDS,
        pause: float = PAUSE_SECONDS,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store, self._model, self._seconds, self._clock = store, model, seconds, clock
        self._look, self._pause = look, pause
        self._expired = metrics.store_expired_rows.labels(model)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="tuneloop-retention", daemon=True)
        self._thread.start()

    def close(self, timeout: float = 5.0) -> None:
        """End with the batch at work; a database that hangs is not waited for longer than `timeout` seconds."""
        self._stopping.set()
        self._thread.join(timeout)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                while (gone := expire(self._store, self._model, self._clock() - self._seconds)) > 0:
                    self._expired.inc(gone)
                    if self._stopping.wait(self._pause):
                        return
            except Exception as error:
                logger.warning("rows that are too old could not be deleted, and will be later: %s", error)
            self._stopping.wait(self._look)
