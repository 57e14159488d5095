"""Windows of rows through the predictor: the calls a server makes for requests with these rows.

Rows are grouped by length within a window, so that nothing is padded, and put back into their order. One thread
computes a call, as in a server. So the same calls give the same bits: a row asked alone is answered as by a batch size
of one, and a model whose rows may not share a call always answers alike. For others, which rows share a call changes
the last bits, here by the batch size and the window, there by whoever asks at the same moment.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tuneloop.api import Answer, Arrays, Encoded, RequestError, Row, scatter
from tuneloop.serving.generating.writing import WritingPredictor
from tuneloop.serving.loader import Loaded
from tuneloop.serving.offline.inputs import Window


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a record gets no answer, and the field that is wrong; None: the whole record."""

    reason: str
    field: str | None = None


@dataclass(frozen=True, slots=True)
class Prepared:
    """A window ready for the model: the rows taken, with their positions and encoding; the refused ones by position."""

    window: Window
    positions: list[int]
    rows: list[Row]
    encoded: list[Encoded]
    refused: dict[int, Refusal]


class Scorer:
    """Prepares and answers windows.

    Args:
        loaded: The model.
        pool: Where calls of the model are made.
        batch_rows: Rows of one call, at most; a model whose rows may not share one gets one at a time.
    """

    def __init__(self, loaded: Loaded, pool: Executor, batch_rows: int) -> None:
        self._predictor, self._pool = loaded.predictor, pool
        self._batch = batch_rows if loaded.joins else 1

    def prepare(self, window: Window) -> Prepared:
        """Check and encode; where a row is refused, each is looked at alone."""
        refused = {i: Refusal(r.broken) for i, r in enumerate(window.records) if r.broken}
        positions = [i for i, row in enumerate(window.rows) if row is not None]
        rows = [row for row in window.rows if row is not None]
        try:
            return Prepared(window, positions, *self._encode(rows), refused)
        except RequestError:
            taken = []
            for position, row in zip(positions, rows, strict=True):
                try:
                    self._encode([row])
                except RequestError as error:
                    refused[position] = Refusal(error.reason, error.field)
                else:
                    taken.append(position)
            kept = [one for i in taken if (one := window.rows[i]) is not None]
            return Prepared(window, taken, *self._encode(kept), refused)

    def answer(self, prepared: Prepared) -> tuple[list[Answer | None], dict[int, Refusal]]:
        """An answer for each record of the window, None for the refused ones, and why they were refused."""
        refused = dict(prepared.refused)
        answers: list[Answer | None] = [None] * len(prepared.window.records)
        positions = prepared.positions
        if isinstance(self._predictor, WritingPredictor):
            texts = self._pool.map(self._generate, prepared.rows)
            for position, found in zip(positions, texts, strict=True):
                if isinstance(found, Refusal):
                    refused[position] = found
                else:
                    answers[position] = found
        elif positions:
            outputs, failed = self._outputs(prepared)
            refused |= {positions[row]: refusal for row, refusal in failed.items()}
            taken = [row for row in range(len(positions)) if row not in failed]
            if failed:
                outputs = {name: array[taken] for name, array in outputs.items()}
            if taken:
                rows = [prepared.rows[row] for row in taken]
                for row, answer in zip(taken, self._predictor.task.answers_to(rows, outputs), strict=True):
                    answers[positions[row]] = answer
        return answers, refused

    def _generate(self, row: Row) -> Answer | Refusal:
        """The text of one row, as a server gives it to who asks for the most probable one."""
        try:
            return self._predictor.predict([row]).answers[0]
        except RequestError as error:
            return Refusal(error.reason, error.field)
        except Exception as error:
            return Refusal(f"the model cannot take it: {error}")

    def _encode(self, rows: Sequence[Row]) -> tuple[list[Row], list[Encoded]]:
        """The rows checked, and encoded."""
        if not rows:
            return [], []
        preprocessor = self._predictor.preprocessor
        checked = preprocessor.check(rows)
        return checked, preprocessor.encode(checked)

    def _outputs(self, prepared: Prepared) -> tuple[Arrays, dict[int, Refusal]]:
        calls = [
            (group.rows[i : i + self._batch], {n: a[i : i + self._batch] for n, a in group.inputs.items()})
            for group in prepared.encoded
            for i in range(0, len(group.rows), self._batch)
        ]
        # The longest calls first: the threads then end together.
        calls.sort(key=lambda call: -sum(array.size for array in call[1].values()))
        done = []
        failed: dict[int, Refusal] = {}
        for found, errors in self._pool.map(self._call, calls):
            done += found
            failed |= errors
        rows = len(prepared.positions)
        outputs = scatter(done, rows)
        answered = np.zeros(rows, dtype=bool)
        for positions, arrays in done:
            answered[list(positions)] = _finite(arrays, len(positions))
        for row in np.flatnonzero(~answered).tolist():
            failed.setdefault(row, Refusal("the model gives a number that is not finite"))
        return outputs, failed

    def _call(
        self, call: tuple[Sequence[int], Arrays]
    ) -> tuple[list[tuple[Sequence[int], Arrays]], dict[int, Refusal]]:
        """One call of the model; where it fails, each row alone, so that one fails none of its neighbours."""
        positions, inputs = call
        try:
            return [(positions, self._predictor.run(inputs))], {}
        except Exception as error:
            if len(positions) == 1:
                return [], {positions[0]: Refusal(f"the model cannot take it: {error}")}
        done: list[tuple[Sequence[int], Arrays]] = []
        failed: dict[int, Refusal] = {}
        for i, position in enumerate(positions):
            found, errors = self._call(([position], {name: array[i : i + 1] for name, array in inputs.items()}))
            done += found
            failed |= errors
        return done, failed


def _finite(outputs: Arrays, rows: int) -> NDArray[np.bool_]:
    """Which rows have finite outputs only."""
    fine = np.ones(rows, dtype=bool)
    for array in outputs.values():
        if array.dtype.kind == "f":
            fine &= np.isfinite(array).reshape(rows, -1).all(axis=1)
    return fine
