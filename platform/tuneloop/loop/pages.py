"""The pages of a server that asks for tokens: the loop brings the one of the role `admin`."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from tuneloop.monitoring.webhook import get
from tuneloop.serving.trust.tokens import read_tokens, token_files


def page_token() -> Callable[[], str] | None:
    """Gives the first token in the file that `TUNELOOP_ADMIN_TOKEN_FILE` names, read each time; None: none is named.

    Raises:
        ServingError: The file cannot be used.
    """
    path = token_files().get("admin")
    if path is None:
        return None
    read_tokens(path)
    return lambda: read_tokens(path)[0]


def page_reader() -> Callable[[str], str]:
    """Reads a page of the server, with the token where one is named.

    Raises:
        ServingError: The token's file cannot be used.
    """
    token = page_token()
    return get if token is None else lambda url: get(url, token=token())


def write_page_token(folder: Path) -> Path | None:
    """A file with the token and nothing else, as Prometheus wants it; its owner alone can read it.

    The token is that of this moment: start the loop again before it is withdrawn.

    Args:
        folder: Where the file goes.

    Raises:
        ServingError: The token's file cannot be used.
    """
    token = page_token()
    if token is None:
        return None
    folder.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=folder, prefix=".page-")
    with os.fdopen(handle, "w") as stream:
        stream.write(token())
    target = folder / "page.token"
    Path(temporary).replace(target)
    return target
