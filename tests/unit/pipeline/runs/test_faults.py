"""Errors of the disk in words."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from tuneloop.api import DataError, RunError, ServingError
from tuneloop.pipeline.runs.faults import explained

STATE = Path("/p/.tuneloop")


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (errno.ENOSPC, "/p/x cannot be used: No space left on device; the disk is full: make room"),
        (errno.EDQUOT, "the quota is used up"),
        (errno.EFBIG, "ulimit -f"),
        (errno.EACCES, "/p/x cannot be used: Permission denied; this user may not"),
        (errno.EROFS, "the file system is read-only"),
    ],
)
def test_the_file_and_what_to_do_are_named(number: int, said: str) -> None:
    assert said in str(explained(OSError(number, os.strerror(number), "/p/x"), STATE))


def test_where_the_error_names_no_file_the_projects_folder_is_named() -> None:
    assert str(explained(OSError(errno.ENOSPC, "No space"), STATE)).startswith("/p/.tuneloop cannot be used: No space;")


def test_it_is_found_behind_the_error_of_a_library() -> None:
    error = RuntimeError("half written")
    error.__cause__ = OSError(errno.ENOSPC, "No space left on device", "/p/model")
    assert "/p/model cannot be used" in str(explained(error, STATE))
    assert "make room" in str(
        explained(RuntimeError("(sqlite3.OperationalError) database or disk is full\n[SQL]"), STATE)
    )


def test_the_trace_of_a_program_becomes_a_sentence() -> None:
    said = explained(
        ServingError("`build` ended with status 1:\n  File x\nOSError: No space left on device: 'y'"), STATE
    )
    assert str(said).startswith("`build` ended with status 1: No space left on device; the disk is full: make room")


def test_what_is_in_words_gets_what_to_do() -> None:
    said = explained(RunError("the registry at /x cannot be used: database or disk is full"), STATE)
    assert str(said).startswith("the registry at /x cannot be used: database or disk is full; the disk is full: make")


@pytest.mark.parametrize(
    "error",
    [DataError("s3://x cannot be stored: No space left on device; make room"), KeyError("x"), FileNotFoundError(2, "")],
)
def test_others_are_left_as_they_are(error: Exception) -> None:
    assert explained(error, STATE) is None
