"""Whole folders kept elsewhere: files by their SHA-256, and `whole.json`, written last, that says what they are.

A folder that is put again changes in one moment: a reader gets the old files or the new ones. Files that both have are
not sent again.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import pydantic

from tuneloop.api import StorageError
from tuneloop.artifact import FileEntry, canonical_json, sha256_file
from tuneloop.storage.places import join, reaching, replace, send, shown

WHOLE, FILES = "whole.json", "files"
_TRIES = 3


class _Listing(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(frozen=True, extra="forbid")
    files: dict[str, FileEntry]


def list_files(folder: Path) -> dict[str, Path]:
    """Every file below a folder, by its name in it; what vanishes meanwhile is left out."""
    found = [Path(root, name) for root, _, names in os.walk(folder) for name in names]
    return {path.relative_to(folder).as_posix(): path for path in sorted(found)}


def put_folder(folder: Path, place: str, what: str = "the folder") -> None:
    """Keep a folder as it is now, in place of what was kept.

    Args:
        folder: Local; nobody writes into it meanwhile.
        place: URL or path.
        what: What it is, for a message.

    Raises:
        StorageError: The place cannot be written; what was kept there before is still whole.
    """
    put_files(list_files(folder), place, what)


def put_files(
    files: Mapping[str, Path], place: str, what: str = "the folder", still: Callable[[], bool] = lambda: True
) -> bool:
    """The same for files that lie anywhere.

    Args:
        files: By the name each has in the folder.
        place: URL or path.
        what: What it is, for a message.
        still: Whether the files are what they were at the beginning; asked when all are sent.

    Returns:
        What `still` said; where it denies, nothing is changed.
    """
    entries = {
        name: FileEntry(sha256=sha256_file(path), bytes=path.stat().st_size) for name, path in sorted(files.items())
    }
    with reaching(place, what, "stored") as (filesystem, path):
        root = path.rstrip("/")
        before = _read(filesystem, root)
        targets = {name: f"{root}/{FILES}/{entry.sha256}" for name, entry in entries.items()}
        sent = [targets[name] for name in entries if _send_new(filesystem, files[name], targets[name], entries[name])]
        if not still():
            for target in set(sent):
                _remove(filesystem, target)
            return False
        listing = _Listing(files=entries).model_dump(mode="json")
        replace(filesystem, f"{root}/{WHOLE}", canonical_json(listing))
        needed = {entry.sha256 for entry in entries.values()}
        for entry in before.files.values() if before else ():
            if entry.sha256 not in needed:
                needed.add(entry.sha256)
                _remove(filesystem, f"{root}/{FILES}/{entry.sha256}")
    return True


def _send_new(filesystem: Any, file: Path, target: str, entry: FileEntry) -> bool:
    """Whether it had to be sent."""
    if filesystem.exists(target) and filesystem.info(target)["size"] == entry.bytes:
        return False
    send(filesystem, file, target)
    return True


def _remove(filesystem: Any, path: str) -> None:
    """A file that nobody needs; another process may have removed it."""
    try:
        filesystem.rm_file(path)
    except FileNotFoundError:
        return


def fetch_folder(place: str, target: Path, what: str = "the folder") -> bool:
    """Put the files of a folder that is kept into a local one.

    Args:
        place: URL or path.
        target: Files of the same names are replaced, others stay; nothing is changed before all have arrived.
        what: What it is, for a message.

    Returns:
        Whether there is such a folder.

    Raises:
        StorageError: It cannot be read, or a file is not what was kept.
    """
    with reaching(place, what, "fetched") as (filesystem, path):
        root = path.rstrip("/")
        for turn in range(_TRIES):
            listing = _read(filesystem, root)
            if listing is None:
                return False
            target.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(prefix=".fetched-", dir=target) as half:
                try:
                    _receive(filesystem, root, listing, Path(half), place, what)
                except FileNotFoundError:
                    # It was put again meanwhile, and what it no longer needs was removed.
                    if turn + 1 == _TRIES:
                        raise
                    continue
                for name in listing.files:
                    (target / name).parent.mkdir(parents=True, exist_ok=True)
                    (Path(half) / name).replace(target / name)
                return True
    return False


def _receive(filesystem: Any, root: str, listing: _Listing, half: Path, place: str, what: str) -> None:
    for name, entry in listing.files.items():
        parts = PurePosixPath(name).parts
        if not parts or ".." in parts or PurePosixPath(name).is_absolute():
            raise StorageError(f"{what} {shown(place)} names the file {name!r}, which lies outside of it")
        local = half.joinpath(*parts)
        local.parent.mkdir(parents=True, exist_ok=True)
        filesystem.get_file(f"{root}/{FILES}/{entry.sha256}", str(local))
        found = sha256_file(local)
        if found != entry.sha256:
            raise StorageError(
                f"{what} {shown(place)}: the file {name!r} arrived with SHA-256 {found}, and {entry.sha256} was kept; "
                f"remove {shown(join(place, WHOLE))} to do without it"
            )


def drop_folder(place: str, what: str = "the folder") -> None:
    """Keep a folder no more; `whole.json` goes first.

    Raises:
        StorageError: It cannot be removed.
    """
    with reaching(place, what, "removed") as (filesystem, path):
        root = path.rstrip("/")
        _remove(filesystem, f"{root}/{WHOLE}")
        try:
            filesystem.rm(root, recursive=True)
        except FileNotFoundError:
            return


def _read(filesystem: Any, root: str) -> _Listing | None:
    try:
        content: bytes = filesystem.cat_file(f"{root}/{WHOLE}")
    except FileNotFoundError:
        return None
    try:
        return _Listing.model_validate_json(content)
    except pydantic.ValidationError as error:
        digest = hashlib.sha256(content).hexdigest()[:12]
        raise StorageError(f"{WHOLE} there (SHA-256 {digest}...) is no list of files: {error}") from error
