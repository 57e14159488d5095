"""Who may use a server and what it may serve, as its environment says."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from tuneloop.serving.trust.auth import Guard
from tuneloop.serving.trust.exposure import check_exposure, listening_host, said_insecure
from tuneloop.serving.trust.signature import Verifier
from tuneloop.serving.trust.tokens import token_files


@dataclass(frozen=True)
class Access:
    """What guards a server.

    Attributes:
        guard: Asks requests for tokens; None: anybody may ask.
        verifier: Checks signatures; None: unsigned versions are served.
    """

    guard: Guard | None = None
    verifier: Verifier | None = None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Access:
        """Read `TUNELOOP_PREDICT_TOKEN_FILE`, `..._FEEDBACK_...`, `..._ADMIN_...` and `TUNELOOP_VERIFY_KEY_FILE`.

        Raises:
            ServingError: A file cannot be used; or this process listens beyond its machine, no token is asked for, and
                `TUNELOOP_INSECURE` is not set.
        """
        files = token_files(environment)
        host = listening_host(environment)
        if host is not None:
            check_exposure(host, authenticated=bool(files), insecure=said_insecure(environment))
        return cls(Guard(files) if files else None, Verifier.from_environment(environment))
