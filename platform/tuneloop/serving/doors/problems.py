"""Refusals as JSON problems (RFC 9457): what was wrong, with which field, in which row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tuneloop.api import RequestError, TuneloopError
from tuneloop.serving.errors import UnavailableError

if TYPE_CHECKING:
    from starlette.responses import Response

MEDIA_TYPE = "application/problem+json"

TITLES: Mapping[str, tuple[int, str]] = {
    "malformed-http": (400, "The request is not HTTP"),
    "malformed-json": (400, "The body is not JSON"),
    "unauthorized": (401, "This path asks for a token"),
    "forbidden": (403, "The token is for something else"),
    "invalid-request": (422, "The request does not fit the model"),
    "unknown-path": (404, "There is nothing at this path"),
    "unknown-model": (404, "This server has no such model or version"),
    "wrong-method": (405, "This path does not answer this method"),
    "no-store": (409, "This server keeps no predictions"),
    "slow-request": (408, "The body did not arrive in time"),
    "too-large": (413, "The body is too large"),
    "too-many-rows": (413, "The request has too many rows"),
    "wrong-content-type": (415, "The content type is not understood"),
    "head-too-large": (431, "The request's line and headers are too large"),
    "overloaded": (429, "The server has more work than it can do"),
    "client-gone": (499, "The client hung up before it was answered"),
    "internal": (500, "The server failed"),
    "not-ready": (503, "The server is not ready"),
    "store-unreachable": (503, "The prediction store does not answer"),
    "deadline": (504, "The request waited too long"),
}
"""Kind of problem to its HTTP status and title; the kinds are the values of the `reason` label in metrics."""


class Problem(Exception):  # noqa: N818
    """A refusal on its way to the client."""

    def __init__(
        self,
        kind: str,
        detail: str,
        field: str | None = None,
        row: int | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Say what was refused and why.

        Args:
            kind: A key of `TITLES`.
            detail: One sentence for a person.
            field: The column or key at fault.
            row: The position of the row at fault, from 0.
            headers: Sent along.
        """
        super().__init__(detail)
        self.kind, self.detail, self.field, self.row = kind, detail, field, row
        self.headers = dict(headers or {})

    @property
    def status(self) -> int:
        """The HTTP status."""
        return TITLES[self.kind][0]

    @property
    def said(self) -> str:
        """The detail with the place it is about."""
        return str(RequestError(self.detail, field=self.field, row=self.row))

    def body(self, **extra: str) -> bytes:
        """The JSON of the problem, with members of its own beside those of RFC 9457."""
        import orjson

        status, title = TITLES[self.kind]
        content: dict[str, Any] = {
            "type": f"urn:tuneloop:problem:{self.kind}",
            "title": title,
            "status": status,
            "detail": self.said,
            **extra,
        }
        if self.field is not None:
            content["field"] = self.field
        if self.row is not None:
            content["row"] = self.row
        return orjson.dumps(content)

    def response(self, **extra: str) -> Response:
        """The problem as a response; `extra` as in `body`."""
        from starlette.responses import Response

        return Response(self.body(**extra), self.status, headers=self.headers, media_type=MEDIA_TYPE)


def as_problem(error: BaseException) -> Problem:
    """The problem that tells a client about an error; one not meant for people gives no detail away."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, RequestError):
        return Problem("invalid-request", error.reason, error.field, error.row)
    if isinstance(error, UnavailableError):
        after = error.retry_after
        return Problem(error.kind, str(error), headers={} if after is None else {"Retry-After": str(after)})
    if isinstance(error, TuneloopError):
        return Problem("internal", "the model could not answer; the server's log says why")
    return Problem("internal", "an unexpected error; the server's log says more")
