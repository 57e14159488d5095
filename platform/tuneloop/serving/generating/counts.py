"""What is counted of generated texts, by version."""

from __future__ import annotations

import time

from tuneloop.monitoring.metrics import metrics
from tuneloop.serving.generating.turns import Ticket

GONE, FAILED = "gone", "failed"
"""Reasons beside `stop` and `length`: nobody waited for the text any more, or the model failed."""


class GenerationCounts:
    """The counters of one version in this worker."""

    def __init__(self, model: str, version: str) -> None:
        all_, one = metrics(), (model, version)
        self._ends = {reason: all_.generations.labels(*one, reason) for reason in ("stop", "length", GONE, FAILED)}
        self._active = all_.generations_active.labels(*one)
        self._prompts = all_.prompt_tokens.labels(*one)
        self._tokens = all_.generated_tokens.labels(*one)
        self._first = all_.first_token_seconds.labels(*one)
        self._each = all_.token_seconds.labels(*one)

    def under_way(self, count: int) -> None:
        """Note how many texts are under way."""
        self._active.set(count)

    def ended(self, ticket: Ticket, arrived: float, *, failed: bool = False) -> None:
        """Count a text; `arrived` is when its request came, on the clock of `time.perf_counter`."""
        generation, now = ticket.generation, time.perf_counter()
        count = len(generation.chosen)
        self._ends[FAILED if failed else generation.finish_reason or GONE].inc()
        self._tokens.inc(count)
        if generation.done:
            self._prompts.inc(generation.prompt_tokens)
        if ticket.first:
            self._first.observe(max(0.0, ticket.first - arrived))
            if count > 1 and generation.done:
                self._each.observe((now - ticket.first) / (count - 1))

    def end(self) -> None:
        """This version generates no more."""
        self._active.set(0)
