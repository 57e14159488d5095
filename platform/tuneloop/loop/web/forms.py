"""What a browser sends with a form: read, bounded, decoded."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

if TYPE_CHECKING:
    from starlette.requests import Request

_MOST_BYTES, _MOST_FIELDS = 16_384, 20


class Form(dict[str, str]):
    """Fields by name; absent ones are empty."""

    def __missing__(self, key: str) -> str:
        return ""


async def read_form(request: Request) -> Form | None:
    """The form of a request; None where it is none, or too large."""
    kind = request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        return None
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MOST_BYTES:
            return None
    try:
        fields = parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    except (UnicodeDecodeError, ValueError):
        return None
    return Form(fields)
