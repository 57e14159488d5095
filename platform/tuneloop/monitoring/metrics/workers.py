"""Workers that are no more, taken out of the gauges."""

from __future__ import annotations

import os
from pathlib import Path


def forget_dead_workers(folder: Path | None = None) -> tuple[int, ...]:
    """Drop the live gauges of workers that were killed before they could do so themselves.

    Args:
        folder: The multiprocess folder; by default `PROMETHEUS_MULTIPROC_DIR`. Nothing happens where there is none.

    Returns:
        The process ids whose gauges were dropped.
    """
    place = folder or Path(os.environ.get("PROMETHEUS_MULTIPROC_DIR", ""))
    if place == Path() or not place.is_dir():
        return ()
    from prometheus_client import multiprocess

    found = {int(path.stem.rpartition("_")[2]) for path in place.glob("gauge_live*_*.db")}
    dead = tuple(sorted(pid for pid in found if not _alive(pid)))
    for pid in dead:
        multiprocess.mark_process_dead(pid, str(place))  # type: ignore[no-untyped-call]
    return dead


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
