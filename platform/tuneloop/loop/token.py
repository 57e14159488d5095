"""The bearer token that alerts must bring."""

from __future__ import annotations

import hmac
import os
import secrets
from pathlib import Path

from tuneloop.api import TuneloopError

SHORTEST = 16
"""Characters."""


def read_token(path: Path) -> str:
    """The token in a file; a file that is not there is made, readable by its owner alone.

    Raises:
        TuneloopError: The file cannot be read or made, everybody may read it, or its token is too short.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            pass
        else:
            with os.fdopen(handle, "w") as stream:
                stream.write(secrets.token_urlsafe(32) + "\n")
        mode = path.stat().st_mode
        token = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise TuneloopError(f"the token file {path} cannot be used: {error}") from error
    # A group may read it: that is how a container's Alertmanager, another user, gets the same file.
    if mode & 0o007:
        raise TuneloopError(f"the token file {path} can be read by others (mode {mode & 0o777:o}): chmod 600 {path}")
    if len(token) < SHORTEST:
        raise TuneloopError(
            f"the token in {path} has {len(token)} characters; {SHORTEST} are the least. Delete the file."
        )
    return token


def accepted(header: str, token: str) -> bool:
    """Whether an `Authorization` header brings the token. Takes equally long wherever a wrong one differs."""
    scheme, _, given = header.partition(" ")
    right = hmac.compare_digest(given.strip().encode("utf-8", "surrogateescape"), token.encode())
    return right and scheme.lower() == "bearer"
