"""The supervisor and its workers: dead ones are replaced at once, and one that cannot start says why.

BentoML's supervisor looks at its workers every ten seconds, so a killed one would be missed for that long. A supervisor
that is killed itself leaves workers behind that nobody supervises, and that hold the port.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import signal
import sys
from pathlib import Path
from typing import Any

from tuneloop.artifact import write_atomic

VARIABLE = "TUNELOOP_FAILURE_FILE"
LOOK_SECONDS = 0.5
"""Between two looks of the supervisor at its workers."""
PAUSE_SECONDS = 5.0
"""Before a worker that cannot start ends: the supervisor starts the next one at once, and again, and again."""
_PR_SET_PDEATHSIG = 1


def look_closely() -> None:
    """Make BentoML's supervisor look at its workers every `LOOK_SECONDS`. Call it in the supervisor's process."""
    from bentoml._internal.utils import circus

    class Arbiter(circus.Arbiter):
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **{**options, "check_delay": LOOK_SECONDS})

    # BentoML makes its arbiter in a function that takes the interval from nowhere.
    circus.Arbiter = Arbiter  # type: ignore[misc]


def end_with_supervisor() -> None:
    """Have the kernel ask this process to end when its supervisor is gone. Only for a worker, and on Linux.

    See PR_SET_PDEATHSIG in prctl(2).
    """
    import click

    context = click.get_current_context(silent=True)
    # A worker is the command that is given the number of a socket; any other process is somebody else's.
    if sys.platform == "linux" and context is not None and isinstance(context.params.get("fd"), int):
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


@contextlib.asynccontextmanager
async def failing_slowly() -> Any:
    """Around the start of a worker: a failure is written where `start_server` looks for it, then paused over."""
    try:
        yield
    except Exception as error:
        place = os.environ.get(VARIABLE)
        if place:
            with contextlib.suppress(OSError):
                write_atomic(Path(place), (str(error) or repr(error)).encode())
        await asyncio.sleep(PAUSE_SECONDS)
        raise
