"""A limit on the time that loading one plugin may take, so that one that hangs does not hang everything."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from tuneloop.api import PluginError

VARIABLE = "TUNELOOP_PLUGINS_TIMEOUT"
_SECONDS = 30.0


class TimeLimitError(BaseException):
    """Raised where the code of a plugin waits. No `Exception`, so that a plugin's own handlers let it pass."""


def limit_seconds() -> float:
    """The seconds that loading one plugin may take: 30, or what `TUNELOOP_PLUGINS_TIMEOUT` says.

    Raises:
        PluginError: The variable holds no number above 0.
    """
    text = os.environ.get(VARIABLE, "").strip() or str(_SECONDS)
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise PluginError(
            f"{VARIABLE}={text!r}: give the seconds that loading one plugin may take, such as {_SECONDS:g}"
        )
    return seconds


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise `TimeLimitError` in the block after so many seconds.

    It works by a signal, hence only in the main thread of a process on a POSIX system; elsewhere there is no limit.
    Code that waits in C without looking at signals is not reached: `probe` ends the process of such code.
    """
    usable = hasattr(signal, "setitimer") and threading.current_thread() is threading.main_thread()
    # A shorter alarm that somebody else set goes first.
    if not usable or 0 < signal.getitimer(signal.ITIMER_REAL)[0] <= seconds:
        yield
        return

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise TimeLimitError

    began = time.monotonic()
    handler = signal.signal(signal.SIGALRM, stop)
    remaining, interval = signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)
        if remaining:
            signal.setitimer(signal.ITIMER_REAL, max(remaining - (time.monotonic() - began), 0.001), interval)
