"""The content of the local files a base model is made from: part of what a step's result depends on."""

from __future__ import annotations

import functools
from pathlib import Path

from tuneloop.api import BaseModel, DataError
from tuneloop.artifact import sha256_file
from tuneloop.pipeline.runs.step import Scope


def model_files(scope: Scope) -> list[list[str]]:
    """Name and SHA-256 of each file of the project's base model, in order of their names.

    Raises:
        DataError: A file cannot be read.
    """
    model = scope.project.model
    base: BaseModel = scope.plugins.create("base model", model.base, model.options)
    try:
        return sorted([path.name, _hashed(path)] for path in base.files(scope.project.root))
    except OSError as error:
        raise DataError(f"base model {model.base!r}: {error.filename} cannot be read: {error.strerror}") from error


def _hashed(path: Path) -> str:
    found = path.stat()
    return _remembered(path, found.st_ino, found.st_size, found.st_mtime_ns)


@functools.lru_cache(maxsize=1024)
def _remembered(path: Path, _inode: int, _size: int, _changed: int) -> str:
    """Several steps of one process ask for the same file."""
    return sha256_file(path)
