"""Failed logins, counted by sender: who fails too often waits."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable

MOST_FAILURES = 10
"""Within `WINDOW`, by sender."""
WINDOW = 60.0
"""Seconds."""
_MOST_SENDERS = 1000


class Attempts:
    """The failed logins of the last minute. Thread safe.

    Login codes are not counted: 256 bits are not guessed, and a stranger's failures must not lock the owner out, who
    gets a code from the terminal.

    Args:
        clock: Monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures: OrderedDict[str, deque[float]] = OrderedDict()
        self._lock = threading.Lock()

    def wait(self, sender: str) -> float:
        """Seconds until this sender may try again; 0: now."""
        with self._lock:
            failures = self._recent(sender)
            return 0.0 if len(failures) < MOST_FAILURES else failures[0] + WINDOW - self._clock()

    def failed(self, sender: str) -> None:
        """Count a failure."""
        with self._lock:
            failures = self._recent(sender)
            failures.append(self._clock())
            self._failures[sender] = failures
            self._failures.move_to_end(sender)
            while len(self._failures) > _MOST_SENDERS:
                self._failures.popitem(last=False)

    def _recent(self, sender: str) -> deque[float]:
        failures = self._failures.get(sender, deque(maxlen=MOST_FAILURES))
        while failures and self._clock() - failures[0] >= WINDOW:
            failures.popleft()
        return failures
