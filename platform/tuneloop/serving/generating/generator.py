"""A version that generates: rows of a request in, their texts out, among the answers of other requests."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from tuneloop.api import RequestError, Row, SignalBatch
from tuneloop.serving.generating.counts import GenerationCounts
from tuneloop.serving.generating.generation import Generation
from tuneloop.serving.generating.options import GREEDY, MOST_TEXTS, GenerationOptions
from tuneloop.serving.generating.turns import Listener, Turns
from tuneloop.serving.generating.writing import WritingPredictor


class Generator:
    """Generates with one version.

    Args:
        predictor: The model.
        counts: Its counters.
        threads: Calls of the model at the same time.
        most_waiting: Texts that may wait.
    """

    def __init__(
        self, predictor: WritingPredictor, counts: GenerationCounts, *, threads: int, most_waiting: int
    ) -> None:
        self._predictor, self._counts = predictor, counts
        self._turns = Turns(threads=threads, most_waiting=most_waiting, changed=counts.under_way)

    async def work(
        self,
        rows: Sequence[Row],
        deadline: float,
        options: GenerationOptions | None = None,
        *,
        rendered: bool = False,
        listen: Listener | None = None,
    ) -> SignalBatch:
        """Answer rows. Cancelled, it ends what it has begun.

        Args:
            rows: As they came from the client.
            deadline: On the clock of `time.monotonic`; past it no text is begun.
            options: How tokens are chosen; None: greedily.
            rendered: Whether prompts came from a chat template.
            listen: Told each piece of the text of an only row.

        Raises:
            RequestError: A row is refused.
            OverloadedError: Too many texts wait.
            DeadlinePassedError: It waited too long.
        """
        arrived = time.perf_counter()
        if len(rows) > MOST_TEXTS:
            raise RequestError(f"has {len(rows)} items; at most {MOST_TEXTS} texts are generated at once", field="rows")
        checked, begun = await asyncio.to_thread(self._begin, rows, options or GREEDY, rendered)
        tickets = []
        try:
            for one in begun:
                # One by one: what was submitted before a refusal is to be cancelled.
                tickets.append(self._turns.submit(one, deadline, listen))  # noqa: PERF401
            await asyncio.gather(*(ticket.future for ticket in tickets))
        finally:
            for ticket in tickets:
                failed = (
                    ticket.future.done() and not ticket.future.cancelled() and ticket.future.exception() is not None
                )
                ticket.future.cancel()
                self._counts.ended(ticket, arrived, failed=failed)
        found = self._predictor.conclude(checked, begun)
        return SignalBatch(found.rows, found.encoded, found.outputs, found.answers)

    async def close(self) -> None:
        """Finish what is under way."""
        await self._turns.close()
        self._counts.end()

    def _begin(
        self, rows: Sequence[Row], options: GenerationOptions, rendered: bool
    ) -> tuple[list[Row], list[Generation]]:
        predictor = self._predictor
        answers = predictor.writing.settings.answers
        for position, row in enumerate(rows):
            if answers is not None and isinstance(row, dict) and answers in row:
                said = f"is not a column of this model; a row has: {predictor.writing.settings.column}"
                raise RequestError(said, field=answers, row=position)
        checked = predictor.preprocessor.check(rows)
        seeds = (
            [options.model_copy(update={"seed": options.seed + i}) for i in range(len(rows))] if options.seed else []
        )
        return checked, [
            predictor.begin(row, seeds[i] if seeds else options, rendered=rendered, position=i)
            for i, row in enumerate(checked)
        ]
