"""A process that does trials: `python -m tuneloop.pipeline.searching.worker`.

It reads a call a line from standard input, and writes an answer a line to standard output. It lives on a leash: when
its input ends, because the search stopped or was killed, it ends itself with all its own children.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import sys
import threading
from typing import Any

from tuneloop.api import call


def main() -> int:
    """Do what is asked for until standard input ends."""
    # Libraries print; the answers must stand alone.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    asked: queue.Queue[dict[str, Any]] = queue.Queue()
    threading.Thread(target=_read, args=(asked,), name="tuneloop-leash", daemon=True).start()
    while True:
        wanted = asked.get()
        try:
            found: dict[str, Any] = {"answer": call(wanted["entry"], wanted["argument"], _drop)}
        except Exception as error:
            found = {"error": str(error) or type(error).__name__}
        answers.write(json.dumps(found) + "\n")
        answers.flush()


def _read(asked: queue.Queue[dict[str, Any]]) -> None:
    for line in sys.stdin:
        asked.put(json.loads(line))
    if os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)


def _drop(record: object) -> None:
    """Nobody listens to the records of one trial among several."""


if __name__ == "__main__":
    sys.exit(main())
