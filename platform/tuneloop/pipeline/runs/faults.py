"""What the machine of a run refuses, in words: a disk that is full, a folder that may not be written."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tuneloop.api import RunError, TuneloopError

_FULL = "the disk is full: make room, `tuneloop runs --prune` removes what only old runs used"
_FORBIDDEN = "this user may not do that there"
_READ_ONLY = "the file system is read-only"
_SAID = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: "the quota is used up: make room, `tuneloop runs --prune` removes what only old runs used",
    errno.EFBIG: "the file is larger than this process may write (ulimit -f)",
    errno.EACCES: _FORBIDDEN,
    errno.EPERM: _FORBIDDEN,
    errno.EROFS: _READ_ONLY,
}
_FULL_QUOTED = (("No space left on device", _FULL), ("database or disk is full", _FULL))
"""What libraries with errors of their own say of a full disk."""
_QUOTED = (
    *_FULL_QUOTED,
    ("attempt to write a readonly database", _FORBIDDEN),
    ("unable to open database file", _FORBIDDEN),
)
"""What they say of that, and of rights."""


@contextmanager
def in_words(state: Path) -> Iterator[None]:
    """Raise `explained` errors in place of those there are.

    Args:
        state: The project's `.tuneloop`.

    Raises:
        RunError: The disk or its rights are at fault.
    """
    try:
        yield
    except Exception as error:
        said = explained(error, state)
        if said is None:
            raise
        raise said from error


def explained(error: BaseException, state: Path) -> RunError | None:
    """An error in words where the disk or its rights are at fault; None for all others, and where all is said.

    Args:
        error: What ended a run.
        state: The project's `.tuneloop`: named where the error names no file.
    """
    if isinstance(error, TuneloopError):
        return _with_hint(str(error))
    for one in _chain(error):
        if isinstance(one, OSError) and (hint := _SAID.get(one.errno or 0)):
            return RunError(f"{one.filename or state} cannot be used: {one.strerror or one}; {hint}")
        for said, hint in _QUOTED:
            if said in str(one):
                return RunError(f"{state} cannot be used: {said}; {hint}")
    return None


def _with_hint(text: str) -> RunError | None:
    """What is told of a full disk, with what to do; of a program that was called the first line, without its trace."""
    first, _, more = text.partition("\n")
    for said, hint in _FULL_QUOTED:
        if said in text and "make room" not in text:
            return RunError(f"{first.rstrip(':')}: {said}; {hint}" if more else f"{text}; {hint}")
    return None


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error, and those it came from."""
    seen: set[int] = set()
    one: BaseException | None = error
    while one is not None and id(one) not in seen:
        seen.add(id(one))
        yield one
        one = one.__cause__ or one.__context__
