"""A challenger beside the champion, in the same worker: unseen in the shadow, or as a canary for a share of requests.

Nothing it does can fail a request. Where a canary raises, refuses what the champion takes, gives a number that is not
finite or takes too long, the champion answers; where a shadow does, nobody waits for it. Each is counted, and one that
fails `MOST_FAILURES` times in a row is not asked again. A fault that ends the process is beyond this.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from tuneloop.api import Answer, RequestError, Row, ServingError
from tuneloop.monitoring.metrics import AGREE, DIFFER, DROPPED, FAILED, SHADOW_OUTCOMES, metrics
from tuneloop.monitoring.store import Shadow
from tuneloop.serving.engine import Answered, Engine
from tuneloop.serving.errors import DeadlinePassedError, OverloadedError
from tuneloop.serving.live import CHUNK_ROWS, Live
from tuneloop.serving.loader import Loaded
from tuneloop.serving.versions.channel import ChallengerEntry
from tuneloop.serving.versions.split import Split
from tuneloop.serving.watch import VersionWatch
from tuneloop.serving.wishes import Wishes

logger = logging.getLogger(__name__)

Failure = Literal["error", "refused", "overloaded", "timeout"]
"""Values of `reason` in `tuneloop_challenger_failures_total`."""

MOST_FAILURES = 20
CANARY_DEADLINE_SHARE = 1 / 3
"""Part of a request's deadline that a canary may use: the champion needs the rest to answer in its place."""
MOST_WAITING_ROWS = 256
MOST_WAITING_BYTES = 8 << 20
BUSY_SHARE = 0.25
"""Part of one thread's time that a shadow works while the champion has requests: it rests three times as long."""
QUIET_SECONDS = 0.1
"""After its last request a champion counts as without requests."""


@dataclass(frozen=True, slots=True)
class _Shown:
    """What a shadow is still to answer: rows of a request, its bytes, and what the champion answered."""

    rows: Sequence[Row]
    size: int
    ids: Sequence[str]
    answers: Sequence[Answer]
    champion: str


class Challenger:
    """One version that is tried.

    Args:
        engine: Whose champion it is beside.
        loaded: The version.
        watch: Its counters.
        entry: What the channel says of it.
    """

    def __init__(self, engine: Engine, loaded: Loaded, watch: VersionWatch, entry: ChallengerEntry) -> None:
        self._engine, self.entry = engine, entry
        threads = 1 if entry.mode == "shadow" else engine.threads
        self.live = Live(loaded, watch, threads, engine.limits.queue_rows)
        self._split = Split(entry.sha256, entry.share, entry.by)
        self._failures = 0
        self._arrived = 0.0
        self._queue: deque[_Shown] = deque()
        self._waiting_rows = self._waiting_bytes = 0
        self._work = asyncio.Event()
        self._shadowing: asyncio.Task[None] | None = None
        if entry.mode == "shadow":
            self._shadowing = asyncio.create_task(self._follow())

    @classmethod
    async def open(cls, engine: Engine, loaded: Loaded, entry: ChallengerEntry) -> Challenger:
        """A challenger that is ready to be asked; `Engine.challenge` takes it."""
        watch = await asyncio.to_thread(engine.watch.prepare, loaded, entry.mode)
        return cls(engine, loaded, watch, entry)

    @property
    def asked(self) -> bool:
        """Whether it is still asked; not after too many failures."""
        return self._failures < MOST_FAILURES

    async def predict(self, rows: Sequence[Row], size: int, key: str | None, wishes: Wishes) -> Answered:
        """Answer a request: by this version if it is a canary and it is its turn, else by the champion."""
        self._arrived = time.perf_counter()
        turn = self.asked and self._split.takes(rows, key)
        if not turn:
            return await self._engine.champion(rows, size, wishes)
        if self.entry.mode == "canary":
            return await self._canary(rows, size, wishes)
        answered = await self._engine.champion(rows, size, wishes)
        self._show(rows, size, answered)
        return answered

    async def retire(self) -> None:
        """Drop what a shadow has not answered yet, wait for a canary's last request, and release the threads."""
        if self._shadowing is not None:
            self._shadowing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._shadowing
            for shown in self._queue:
                self._count(shown.champion, DROPPED, len(shown.rows))
        await self.live.retire()

    async def _canary(self, rows: Sequence[Row], size: int, wishes: Wishes) -> Answered:
        seconds = self._engine.limits.deadline_seconds * CANARY_DEADLINE_SHARE
        try:
            async with asyncio.timeout(seconds):
                answered = await self._engine.answer(self.live, rows, size, seconds, wishes)
        except Exception as error:
            # A request that the champion refuses too raises here, and is no failure of this version.
            by_champion = await self._engine.champion(rows, size, wishes)
            self._failed(error)
            return by_champion
        self._failures = 0
        return answered

    def _show(self, rows: Sequence[Row], size: int, answered: Answered) -> None:
        """Queue rows for the shadow as far as there is room; drop and count the rest. Never waits."""
        ended = self._shadowing is None or self._shadowing.done()
        full = ended or self._waiting_bytes + size > MOST_WAITING_BYTES
        room = 0 if full else MOST_WAITING_ROWS - self._waiting_rows
        for start in range(0, min(len(rows), room), CHUNK_ROWS):
            part = slice(start, min(start + CHUNK_ROWS, room))
            shown = _Shown(rows[part], size, answered.ids[part], answered.answers[part], answered.version)
            self._queue.append(shown)
            self._waiting_rows += len(shown.rows)
            self._waiting_bytes += size
        if len(rows) > room:
            self._count(answered.version, DROPPED, len(rows) - room)
        self._work.set()

    async def _follow(self) -> None:
        while True:
            await self._work.wait()
            if not self._queue:
                self._work.clear()
                continue
            begun = time.perf_counter()
            taken = self._take()
            if not await self._answer(_joined(taken), last=len(taken) == 1):
                # What one request holds must not be held against the others.
                await self._answer_each(deque(taken))
            seconds = time.perf_counter() - begun
            busy = self._engine.busy or time.perf_counter() - self._arrived < QUIET_SECONDS
            # The event loop gets its turn in any case; a busy champion gets most of the processor too.
            await asyncio.sleep(seconds * (1 / BUSY_SHARE - 1) if busy else 0)

    def _take(self) -> list[_Shown]:
        """What waits, oldest first, of one champion, as much as one call takes."""
        taken = [self._queue.popleft()]
        rows = len(taken[0].rows)
        while self._queue and self._queue[0].champion == taken[0].champion:
            rows += len(self._queue[0].rows)
            if rows > CHUNK_ROWS:
                break
            taken.append(self._queue.popleft())
        self._waiting_rows -= sum(len(shown.rows) for shown in taken)
        self._waiting_bytes -= sum(shown.size for shown in taken)
        return taken

    async def _answer_each(self, taken: deque[_Shown]) -> None:
        try:
            while taken:
                await self._answer(taken.popleft())
        except asyncio.CancelledError:
            for shown in taken:
                self._count(shown.champion, DROPPED, len(shown.rows))
            raise

    async def _answer(self, shown: _Shown, *, last: bool = True) -> bool:
        """Answer, compare and count rows; False where that failed and `last` says that they will be tried again."""
        if not self.asked:
            self._count(shown.champion, DROPPED, len(shown.rows))
            return True
        try:
            return await self._compare(shown)
        except asyncio.CancelledError:
            self._count(shown.champion, DROPPED, len(shown.rows))
            raise
        except Exception as error:
            if not last:
                return False
            self._count(shown.champion, FAILED, len(shown.rows))
            self._failed(error)
            return True

    async def _compare(self, shown: _Shown) -> bool:
        seconds = self._engine.limits.deadline_seconds
        begun = time.perf_counter()
        with self.live:
            async with asyncio.timeout(seconds):
                batch = await self._engine.work(self.live, shown.rows, shown.size, seconds)
            differences = self._differences(shown, batch.answers)
        self._failures = 0
        version = self.live.loaded.version
        metrics().shadow_seconds.labels(self._engine.model, version).observe(time.perf_counter() - begun)
        tolerance = self._engine.watch.tolerance
        agreed = sum(abs(difference) <= tolerance for difference in differences)
        self._count(shown.champion, AGREE, agreed)
        self._count(shown.champion, DIFFER, len(differences) - agreed)
        squared = metrics().shadow_squared_difference.labels(self._engine.model, version, shown.champion)
        squared.inc(sum(difference * difference for difference in differences))
        now = time.time()
        pairs = zip(shown.ids, batch.answers, strict=True)
        self._engine.watch.store_shadows([Shadow(id_, version, now, answer) for id_, answer in pairs])
        return True

    def _differences(self, shown: _Shown, answers: Sequence[Answer]) -> list[float]:
        task = self.live.loaded.predictor.task
        pairs = zip(answers, shown.answers, strict=True)
        return [task.error(mine, task.decision(champions)) for mine, champions in pairs]

    def _failed(self, error: Exception) -> None:
        self._failures += 1
        version, reason = self.live.loaded.version, _reason(error)
        metrics().challenger_failures.labels(self._engine.model, version, reason).inc()
        log = logger.warning if isinstance(error, ServingError | RequestError | TimeoutError) else logger.exception
        log("the challenger %s of %s failed: %s", version, self._engine.model, error or "it took too long")
        if self._failures == MOST_FAILURES:
            logger.error("the challenger %s is not asked again: it failed %d times in a row", version, MOST_FAILURES)
            self.live.watch.end()

    def _count(self, champion: str, outcome: str, rows: int) -> None:
        pair = (self._engine.model, self.live.loaded.version, champion)
        for known in SHADOW_OUTCOMES:
            metrics().shadow_rows.labels(*pair, known).inc(rows if known == outcome else 0)


def _joined(parts: Sequence[_Shown]) -> _Shown:
    if len(parts) == 1:
        return parts[0]
    return _Shown(
        [row for part in parts for row in part.rows],
        sum(part.size for part in parts),
        [id_ for part in parts for id_ in part.ids],
        [answer for part in parts for answer in part.answers],
        parts[0].champion,
    )


def _reason(error: Exception) -> Failure:
    if isinstance(error, TimeoutError | DeadlinePassedError):
        return "timeout"
    if isinstance(error, OverloadedError):
        return "overloaded"
    return "refused" if isinstance(error, RequestError) else "error"
