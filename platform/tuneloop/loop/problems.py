"""Refusals of the receiver as JSON problems (RFC 9457)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.responses import Response

TITLES: Mapping[str, tuple[int, str]] = {
    "malformed-json": (400, "The body is not JSON"),
    "unauthorized": (401, "A bearer token is needed"),
    "unknown-path": (404, "There is nothing at this path"),
    "wrong-method": (405, "This path does not answer this method"),
    "suppressed": (409, "The policy does not allow a run now"),
    "too-large": (413, "The body is too large"),
    "wrong-content-type": (415, "The content type is not understood"),
    "invalid-request": (422, "The body is not what this path takes"),
    "internal": (500, "The loop failed"),
    "unavailable": (503, "The loop cannot store decisions now"),
}
"""Kind of problem to its HTTP status and title."""


class Problem(Exception):  # noqa: N818
    """A refusal on its way to the sender.

    Args:
        kind: A key of `TITLES`.
        detail: One sentence for a person.
        field: The path of the value at fault, such as `alerts.0.fingerprint`.
        headers: Sent along.
    """

    def __init__(self, kind: str, detail: str, field: str = "", headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.kind, self.detail, self.field, self.headers = kind, detail, field, dict(headers or {})

    def response(self) -> Response:
        """The problem as a response."""
        from starlette.responses import Response

        status, title = TITLES[self.kind]
        content = {
            "type": f"urn:tuneloop:problem:{self.kind}",
            "title": title,
            "status": status,
            "detail": self.detail,
        }
        if self.field:
            content["field"] = self.field
        return Response(json.dumps(content), status, headers=self.headers, media_type="application/problem+json")
