"""Bearer tokens in files: who may ask, who may send labels, and who may look behind the scenes."""

from __future__ import annotations

import hashlib
import hmac
import logging
import os
import stat
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal, get_args

from tuneloop.api import ServingError

logger = logging.getLogger(__name__)

Role = Literal["predict", "feedback", "admin"]
"""`predict`: both doors. `feedback`: labels. `admin`: metrics and the API's pages."""

ROLES: tuple[Role, ...] = get_args(Role)
VARIABLES: Mapping[Role, str] = {role: f"TUNELOOP_{role.upper()}_TOKEN_FILE" for role in ROLES}
"""Environment variables that name the token file of each role."""
SHORTEST = 16
"""Characters of a token."""
LOOK_SECONDS = 1.0
"""How often a file is asked whether it changed."""
_MOST_BYTES = 1 << 16


def read_tokens(path: Path) -> tuple[str, ...]:
    """The tokens in a file: one a line; empty lines and lines that begin with `#` are passed over.

    Several are accepted at once, so that clients can change from one to the next.

    Raises:
        ServingError: The file cannot be read, everybody may read it, it holds no token, or one that is too short or
            has characters that no header can carry. No message quotes a token.
    """
    try:
        # A group may read it: Kubernetes gives secrets to a container's user by its group.
        if stat.S_IMODE(path.stat().st_mode) & stat.S_IRWXO:
            raise ServingError(f"the token file {path} is open to everybody: chmod o= {path}")
        with path.open("rb") as stream:
            content = stream.read(_MOST_BYTES + 1)
    except OSError as error:
        raise ServingError(f"the token file {path} cannot be read: {error.strerror or error}") from error
    if len(content) > _MOST_BYTES:
        raise ServingError(f"the token file {path} is larger than {_MOST_BYTES} bytes")
    lines = [(number, line.strip()) for number, line in enumerate(content.splitlines(), 1)]
    tokens = [(number, line) for number, line in lines if line and not line.startswith(b"#")]
    for number, token in tokens:
        if not all(0x21 <= character <= 0x7E for character in token):
            raise ServingError(f"{path}, line {number}: a token has visible ASCII characters only, and no spaces")
        if len(token) < SHORTEST:
            raise ServingError(
                f"{path}, line {number}: the token has {len(token)} characters; {SHORTEST} are the least"
            )
    if not tokens:
        raise ServingError(f"the token file {path} holds no token: write one a line, of at least {SHORTEST} characters")
    return tuple(token.decode("ascii") for _, token in tokens)


def token_files(environment: Mapping[str, str] = os.environ) -> dict[Role, Path]:
    """The token files that the environment names.

    Raises:
        ServingError: One is no absolute path: the processes of a server run in different folders.
    """
    found: dict[Role, Path] = {}
    for role, name in VARIABLES.items():
        if value := environment.get(name):
            path = Path(value)
            if not path.is_absolute():
                raise ServingError(f"{name} is {value!r}; it must be an absolute path")
            found[role] = path
    return found


class TokenFile:
    """The tokens of one role, followed while the file changes.

    A file that becomes unreadable leaves the tokens as they were, so that a mistake while they are changed locks nobody
    out; it is logged. A token is withdrawn by taking its line out.

    Args:
        path: The file.
        clock: Monotonic seconds.

    Raises:
        ServingError: As `read_tokens`.
    """

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._path, self._clock = path, clock
        self._seen = self._look()
        self._digests = _digests(path)
        self._next = clock() + LOOK_SECONDS

    def accepts(self, digest: bytes) -> bool:
        """Whether a token with this SHA-256 is in the file; equally fast wherever it differs."""
        now = self._clock()
        if now >= self._next:
            self._next = now + LOOK_SECONDS
            self._follow()
        found = False
        for known in self._digests:
            found |= hmac.compare_digest(digest, known)
        return found

    def _follow(self) -> None:
        seen = self._look()
        if seen == self._seen:
            return
        self._seen = seen
        try:
            self._digests = _digests(self._path)
        except ServingError as error:
            logger.error("the tokens stay as they were: %s", error)
        else:
            logger.info("the token file %s was read again: %d tokens", self._path, len(self._digests))

    def _look(self) -> tuple[int, ...]:
        """What changes with the file; a file that is absent looks like none other."""
        try:
            found = self._path.stat()
        except OSError:
            return ()
        return found.st_mtime_ns, found.st_ctime_ns, found.st_ino, found.st_size


def _digests(path: Path) -> tuple[bytes, ...]:
    """Digests have one length, so that a comparison gives not even a token's length away."""
    return tuple(hashlib.sha256(token.encode()).digest() for token in read_tokens(path))
