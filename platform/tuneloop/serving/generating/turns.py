"""Many answers at a time in a few threads: each gets short turns, so that a long one holds up none of the others.

All state is the event loop's; a thread only advances the answer it was given, for the length of one turn.
"""

from __future__ import annotations

import asyncio
import functools
import math
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeAlias

from tuneloop.serving.errors import DeadlinePassedError, OverloadedError
from tuneloop.serving.generating.generation import Generation

Listener: TypeAlias = Callable[[str], None]
"""Told each piece of text, in the event loop."""

TURN_SECONDS = 0.01
"""Of a turn, at most, unless a single call takes longer."""
MOST_ACTIVE = 32
"""Answers under way at one time: each holds a cache of its keys and values."""


class Ticket:
    """An answer that waits or is under way.

    Attributes:
        generation: It.
        future: Becomes None once it is whole.
        begun: When its first turn was due, on the clock of `time.perf_counter`; 0: it waits.
        first: When its first token was there, on the same clock; 0: not yet.
    """

    __slots__ = ("begun", "deadline", "first", "future", "generation", "listen")

    def __init__(self, generation: Generation, deadline: float, listen: Listener | None) -> None:
        self.generation, self.deadline, self.listen = generation, deadline, listen
        self.future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.begun = self.first = 0.0


class Turns:
    """Advances answers in turns.

    Args:
        threads: Calls of the model at the same time.
        most_waiting: Answers that may wait for one of `most_active` places.
        most_active: Answers under way at the same time.
        changed: Told how many are under way, whenever that changes.
    """

    def __init__(
        self,
        *,
        threads: int,
        most_waiting: int,
        most_active: int = MOST_ACTIVE,
        changed: Callable[[int], None] | None = None,
    ) -> None:
        self._most_waiting, self._most_active, self._changed = most_waiting, most_active, changed
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="tuneloop-generate")
        self._free = threads
        self._ready: deque[Ticket] = deque()
        self._waiting: deque[Ticket] = deque()
        self._active = 0
        self._seconds = 0.0
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def queued(self) -> int:
        """Answers that wait for a place. May be asked in any thread."""
        return len(self._waiting)

    @property
    def active(self) -> int:
        """Answers under way. May be asked in any thread."""
        return self._active

    def submit(self, generation: Generation, deadline: float = math.inf, listen: Listener | None = None) -> Ticket:
        """Queue an answer; must be called in the event loop. To cancel its future ends it within a turn.

        Args:
            generation: Not begun.
            deadline: On the clock of `time.monotonic`; past it the answer is not begun.
            listen: Told each piece of the text.

        Raises:
            OverloadedError: Too many wait.
        """
        if self._active >= self._most_active:
            wait = (len(self._waiting) + 1) * self._seconds / self._most_active
            retry = max(1, math.ceil(wait))
            if len(self._waiting) >= self._most_waiting:
                said = f"{len(self._waiting)} answers are waiting, at most {self._most_waiting} may"
                raise OverloadedError(said, retry)
            if time.monotonic() + wait > deadline:
                raise OverloadedError(f"{len(self._waiting)} answers are waiting, about {wait:.1f} s of work", retry)
        ticket = Ticket(generation, deadline, listen)
        self._waiting.append(ticket)
        # One that nobody waits for any more gives its place away at once, also while it waits for one.
        ticket.future.add_done_callback(lambda _: self._pump())
        self._idle.clear()
        self._pump()
        return ticket

    async def close(self) -> None:
        """Finish what is under way, and release the threads. Nothing may be submitted afterwards."""
        await self._idle.wait()
        self._pool.shutdown(wait=False)

    def _pump(self) -> None:
        self._admit()
        loop = asyncio.get_running_loop()
        while self._free and self._ready:
            ticket = self._ready.popleft()
            if ticket.future.done():
                self._leave()
                continue
            self._free -= 1
            call = loop.run_in_executor(self._pool, _turn, ticket)
            call.add_done_callback(functools.partial(self._turned, ticket))
        if not self._active and not self._waiting:
            self._idle.set()

    def _admit(self) -> None:
        while self._waiting and (self._active < self._most_active or self._waiting[0].future.done()):
            ticket = self._waiting.popleft()
            if ticket.future.done():
                continue
            if time.monotonic() > ticket.deadline:
                said = "the request waited past its deadline; nothing was computed"
                ticket.future.set_exception(DeadlinePassedError(said))
                continue
            self._count(1)
            ticket.begun = time.perf_counter()
            self._ready.append(ticket)

    def _count(self, more: int) -> None:
        self._active += more
        if self._changed is not None:
            self._changed(self._active)

    def _leave(self) -> None:
        self._count(-1)
        self._admit()

    def _turned(self, ticket: Ticket, call: asyncio.Future[str]) -> None:
        self._free += 1
        error = None if call.cancelled() else call.exception()
        if ticket.future.done() or call.cancelled() or error is not None:
            if error is not None and not ticket.future.done():
                ticket.future.set_exception(error)
            ticket.future.cancel()
            self._leave()
        else:
            if (piece := call.result()) and ticket.listen is not None:
                ticket.listen(piece)
            if ticket.generation.done:
                self._note(time.perf_counter() - ticket.begun)
                ticket.future.set_result(None)
                self._leave()
            else:
                self._ready.append(ticket)
        self._pump()

    def _note(self, seconds: float) -> None:
        """Remember what an answer takes once it is begun."""
        self._seconds = 0.9 * self._seconds + 0.1 * seconds if self._seconds else seconds


def _turn(ticket: Ticket) -> str:
    """Advance an answer for one turn; the text that is new."""
    generation, end = ticket.generation, time.perf_counter() + TURN_SECONDS
    while True:
        generation.advance()
        if not ticket.first and generation.chosen:
            ticket.first = time.perf_counter()
        # Whoever waits for the first token shall not wait for a turn of them.
        first = len(generation.chosen) == 1 and ticket.listen is not None
        if generation.done or first or ticket.future.done() or time.perf_counter() >= end:
            return generation.pieces.take()
