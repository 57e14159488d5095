"""What is finished of a job, on disk: parts of the output that survive a kill at any moment.

```
OUTPUT.partial/
  job.json         what the job is; it may only be gone on with by the same job
  000000.part      rows of the output, of the first window
  000000.rejects   its refused records; absent where there are none
  000000.json      its counts; written last: where it is, the part is finished
```
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tuneloop.api import DataError
from tuneloop.artifact import write_atomic, write_json

_JOB, _LOCK = "job.json", ".lock"
_OWN = re.compile(r"\.?(\d{6,}\.(part|rejects|json)|job\.json)(\.\w+)?|joined")


@dataclass(frozen=True, slots=True)
class Counts:
    """Rows read, rows written, and records refused."""

    read: int = 0
    written: int = 0
    refused: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(self.read + other.read, self.written + other.written, self.refused + other.refused)


class Journal:
    """The working folder of one job. Get one by `open_journal`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._finished = list(_finished(folder))
        self.counts = sum(self._finished, Counts())

    def parts(self) -> list[Path]:
        """The finished parts of the output, in order."""
        return [_file(self.folder, number, "part") for number in range(len(self._finished))]

    def rejects(self) -> list[Path]:
        """The refused records of the finished parts, in order."""
        return [_file(self.folder, number, "rejects") for number, found in enumerate(self._finished) if found.refused]

    def add(self, content: bytes, rejects: bytes, counts: Counts) -> None:
        """Keep the next part; it is on disk when this returns."""
        number = len(self._finished)
        write_atomic(_file(self.folder, number, "part"), content)
        if rejects:
            write_atomic(_file(self.folder, number, "rejects"), rejects)
        write_json(_file(self.folder, number, "json"), asdict(counts))
        self._finished.append(counts)
        self.counts += counts

    def remove(self) -> None:
        """The output is in its place; what others keep in the folder stays."""
        _clear(self.folder)
        (self.folder / _LOCK).unlink()
        with contextlib.suppress(OSError):
            self.folder.rmdir()


def _file(folder: Path, number: int, suffix: str) -> Path:
    return folder / f"{number:06d}.{suffix}"


def _finished(folder: Path) -> Iterator[Counts]:
    number = 0
    while (path := _file(folder, number, "json")).exists():
        yield Counts(**json.loads(path.read_bytes()))
        number += 1


def _clear(folder: Path) -> None:
    """Remove the files of a job, those that a killed attempt left half written too; the job itself goes first."""
    (folder / _JOB).unlink(missing_ok=True)
    for file in folder.iterdir():
        if _OWN.fullmatch(file.name):
            file.unlink()


def unfinished(folder: Path) -> bool:
    """Whether a job was begun there."""
    return (folder / _JOB).exists()


@contextmanager
def open_journal(folder: Path, job: Mapping[str, Any], on_error: str, *, restart: bool) -> Iterator[Journal]:
    """The journal of a job, whose only process this is: a new one, or that of an attempt that was cut off.

    Args:
        folder: The working folder.
        job: All that the output depends on, as JSON values by a readable name.
        on_error: What is done with refused records. Parts that were finished under `stop` hold none, so that an
            attempt which stopped at one may go on under another rule.
        restart: Throw away what is there.

    Raises:
        DataError: What is there belongs to another job, or another process is at work on it.
    """
    with _alone(folder):
        path = folder / _JOB
        if restart:
            _clear(folder)
        if path.exists():
            _compare(folder, json.loads(path.read_bytes()), {**job, "on_error": on_error})
        write_json(path, {**job, "on_error": on_error})
        yield Journal(folder)


def _compare(folder: Path, before: dict[str, Any], now: dict[str, Any]) -> None:
    if before.get("on_error") == "stop":
        before = {**before, "on_error": now["on_error"]}
    now = json.loads(json.dumps(now))
    other = [name.replace("_", " ") for name in now if before.get(name) != now[name]]
    if other:
        raise DataError(
            f"{folder} holds an unfinished job that cannot be gone on with, because these are not as they were: "
            f"{', '.join(other)}. Run it as it was, or begin anew with --restart"
        )


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    handle = _locked(folder)
    try:
        yield
    finally:
        os.close(handle)


def _locked(folder: Path) -> int:
    while True:
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            found = os.fstat(handle)
            # Whoever finished in between has removed the folder, and with it the file that is locked now.
            if (folder / _LOCK).exists() and os.path.samestat(found, (folder / _LOCK).stat()):
                return handle
        except BlockingIOError as error:
            os.close(handle)
            raise DataError(f"another process is at work on {folder}; wait for it, or end it") from error
        os.close(handle)
