"""Where the loop of a project listens, written down while it does: for commands on the same machine."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tuneloop.artifact import write_atomic

_FILE = "loop.address"


@contextmanager
def announced(state: Path, url: str) -> Iterator[None]:
    """Say in a project's state that its loop is at this address, until the context ends."""
    write_atomic(state / _FILE, f"{url}\n".encode())
    try:
        yield
    finally:
        (state / _FILE).unlink(missing_ok=True)


def address_of(state: Path) -> str | None:
    """Where the loop of a project was last heard of; None: nowhere. One that was killed left its address behind."""
    with contextlib.suppress(OSError, UnicodeDecodeError):
        return (state / _FILE).read_text(encoding="ascii").strip() or None
    return None
