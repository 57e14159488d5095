"""A link that signs in whoever may read the token file, without the token being in it."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from tuneloop.api import ServingError, TuneloopError
from tuneloop.loop.address import address_of
from tuneloop.loop.server import token_path
from tuneloop.loop.token import read_token
from tuneloop.loop.web.session import Keys, clean_name
from tuneloop.monitoring.webhook import get

if TYPE_CHECKING:
    from pathlib import Path

    from tuneloop.config import Project


def login_link(project: Project, who: str, token_file: Path | None = None) -> str:
    """A link to the page of the loop that runs on this machine; it works once, for five minutes.

    Args:
        project: Whose loop.
        who: The name that is recorded with what is done there.
        token_file: The loop's; None: the one in the project's state.

    Raises:
        TuneloopError: No loop of the project answers, or its token cannot be read.
    """
    address = address_of(project.state)
    try:
        if address is None:
            raise ServingError("no address is written down")
        get(f"{address}/healthz")
    except ServingError as error:
        raise TuneloopError(
            f"no loop of {project.name} answers on this machine: {error}. Start it: `tuneloop loop`."
        ) from error
    name = clean_name(who)
    if not name:
        raise TuneloopError(f"{who!r} is no name; give one: `tuneloop loop page --who NAME`")
    code = Keys(read_token(token_file or token_path(project))).code(name)
    return f"{address}/page/login?code={quote(code, safe='')}"
