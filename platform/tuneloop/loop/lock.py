"""One loop a project: a lock on a file, released by the system when the process ends, however it ends."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tuneloop.api import TuneloopError


@contextmanager
def only_loop(path: Path) -> Iterator[None]:
    """Be the one loop of a project.

    Raises:
        TuneloopError: Another process is; gives its id.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            owner = os.read(handle, 20).decode(errors="replace").strip() or "unknown"
            raise TuneloopError(
                f"a loop of this project runs already (process {owner}, lock {path}). "
                "Use that one, or end it first; `tuneloop loop status` shows what it does."
            ) from error
        os.ftruncate(handle, 0)
        os.write(handle, f"{os.getpid()}\n".encode())
        yield
    finally:
        os.close(handle)
