"""Why a server cannot answer a request that is right in itself.

```
ServingError
└── UnavailableError        `kind` is the kind of problem the client is told; see problems.py
    ├── OverloadedError         the queue is full, or the wait would outlast the deadline
    ├── DeadlinePassedError     the request waited too long; nothing was computed
    ├── NotReadyError           no version is live
    ├── NoStoreError            there is no prediction store to join labels in
    └── StoreUnreachableError   there is one, but its database does not answer
```
"""

from __future__ import annotations

from typing import ClassVar

from tuneloop.api import ServingError


class UnavailableError(ServingError):
    """The root. `retry_after`: seconds until it is worth a try; None: not said."""

    kind: ClassVar[str]

    def __init__(self, reason: str, retry_after: int | None = None) -> None:
        super().__init__(reason if retry_after is None else f"{reason}; try again in {retry_after} s")
        self.retry_after = retry_after


class OverloadedError(UnavailableError):
    """The queue is full, or the wait would outlast the deadline."""

    kind = "overloaded"


class DeadlinePassedError(UnavailableError):
    """The request waited past its deadline; the work was not begun."""

    kind = "deadline"


class NotReadyError(UnavailableError):
    """No version is live: the server is starting or stopping."""

    kind = "not-ready"


class NoStoreError(UnavailableError):
    """This server has no prediction store."""

    kind = "no-store"


class StoreUnreachableError(UnavailableError):
    """The database of the prediction store does not answer."""

    kind = "store-unreachable"
