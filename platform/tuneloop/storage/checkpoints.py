"""Checkpoints of a training under way, kept elsewhere too: another machine goes on from the last whole ones.

Training never waits for a store. A thread looks at the folder of checkpoints, takes what a kill at that moment would
leave (links to the files, then a second look whether any was written meanwhile), and sends it.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

from tuneloop.api import StorageError
from tuneloop.storage.folders import fetch_folder, list_files, put_files
from tuneloop.storage.places import shown

logger = logging.getLogger(__name__)

WHAT = "the checkpoints at"
LOOK_SECONDS = 1.0
"""Between two looks at the folder."""

_Look = dict[str, tuple[int, int, int]]


@contextlib.contextmanager
def shared_checkpoints(folder: Path, place: str | None, seconds: float = LOOK_SECONDS) -> Iterator[None]:
    """Keep the checkpoints of a training at a place too, and begin with those that are there.

    While inside, whatever is written to the folder is sent: by one process of a training, the one that writes
    checkpoints. A store that cannot be reached is warned of once, and tried again; training goes on.

    Args:
        folder: Where the strategy writes. Empty: what the place holds is fetched first.
        place: URL or path; None: nothing is shared.
        seconds: Between two looks.

    Raises:
        StorageError: The place cannot be read at the beginning.
    """
    if place is None:
        yield
        return
    fetch_checkpoints(folder, place)
    mirror = _Mirror(folder, place)
    ended = threading.Event()

    def follow() -> None:
        while not ended.wait(seconds):
            mirror.look()

    thread = threading.Thread(target=follow, name="tuneloop-checkpoints", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def fetch_checkpoints(folder: Path, place: str | None) -> bool:
    """Fetch the checkpoints that are kept, where the folder holds none; whether there were any.

    Raises:
        StorageError: The place cannot be read.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if place is None or list_files(folder):
        return False
    return fetch_folder(place, folder, WHAT)


class _Mirror:
    """What was sent last, and whether sending fails."""

    def __init__(self, folder: Path, place: str) -> None:
        self._folder, self._place = folder, place
        self._sent = _look(folder)
        self._failing = False

    def look(self) -> None:
        """Send what is new."""
        now = _look(self._folder)
        if not now or now == self._sent:
            return
        staging = self._folder.with_name(f".{self._folder.name}-sent")
        shutil.rmtree(staging, ignore_errors=True)
        try:
            files = _linked(self._folder, staging, now)
            if _look(self._folder) != now:
                return
            # A file that grows while it is sent is not what is written down of it.
            if put_files(files, self._place, WHAT, lambda: all(_stamp(files[n])[1:] == now[n][1:] for n in now)):
                self._sent = now
            self._failing = False
        except FileNotFoundError:
            # It was removed while it was linked: the next look sees what is there instead.
            return
        except (OSError, StorageError) as error:
            if not self._failing:
                logger.warning("%s; training goes on, they are sent when it can be reached", error)
            self._failing = True
        except Exception:
            logger.exception("the checkpoints cannot be sent to %s", shown(self._place))
        finally:
            shutil.rmtree(staging, ignore_errors=True)


def _look(folder: Path) -> _Look:
    found = {}
    for name, path in list_files(folder).items():
        with contextlib.suppress(FileNotFoundError):
            found[name] = _stamp(path)
    return found


def _stamp(path: Path) -> tuple[int, int, int]:
    status = path.stat()
    return status.st_ino, status.st_size, status.st_mtime_ns


def _linked(folder: Path, staging: Path, names: _Look) -> dict[str, Path]:
    files = {}
    for name in names:
        files[name] = target = staging / name
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(folder / name, target)
        except FileNotFoundError:
            raise
        except OSError:
            # Not every file system has links.
            shutil.copy2(folder / name, target)
    return files
