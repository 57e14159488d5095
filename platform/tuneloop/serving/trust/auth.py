"""Bearer tokens at the door (RFC 6750): which role a path asks for, and whether a request has it.

| role | paths |
|---|---|
| none | `/livez`, `/healthz`, `/readyz`, `/v2/health/live`, `/v2/health/ready` |
| `feedback` | `/feedback` |
| `admin` | `/metrics`, the API's page `/` with its files, `/docs.json`, `/schema.json` |
| `predict` | everything else, unknown paths too |

Roles are apart: a token of one opens nothing of another. Once one role has a token file, a role without one is closed:
what nobody thought of must not stand open. Without any file there is no authentication.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tuneloop.serving.doors.problems import MEDIA_TYPE, TITLES, Problem
from tuneloop.serving.trust.tokens import ROLES, VARIABLES, Role, TokenFile

_OPEN = frozenset(("/livez", "/healthz", "/readyz", "/v2/health/live", "/v2/health/ready"))
_ADMIN = frozenset(("/", "/docs.json", "/schema.json", "/metrics"))
_STATIC = "/static_content/"
_CHALLENGE = 'Bearer realm="tuneloop"'


def role_of(path: str) -> Role | None:
    """The role that a path asks for; None: it is open to all."""
    if path in _OPEN:
        return None
    if path == "/feedback":
        return "feedback"
    return "admin" if path in _ADMIN or path.startswith(_STATIC) else "predict"


class Guard:
    """Lets requests pass by their `Authorization` header.

    Args:
        files: Role to its token file.

    Raises:
        ServingError: A file cannot be used; see `read_tokens`.
    """

    def __init__(self, files: Mapping[Role, Path]) -> None:
        self._files = {role: TokenFile(path) for role, path in files.items()}

    def check(self, path: str, headers: Sequence[tuple[bytes, bytes]]) -> None:
        """Return if the request may pass.

        Args:
            path: Of the request.
            headers: Names in lower case, as ASGI gives them.

        Raises:
            Problem: `unauthorized` without a known token, `forbidden` with that of another role.
        """
        role = role_of(path)
        if role is None:
            return
        digest = _digest(headers)
        if digest is None:
            raise _unauthorized(role, "bring a token: Authorization: Bearer TOKEN", _CHALLENGE)
        own = self._files.get(role)
        if own is not None and own.accepts(digest):
            return
        # All other roles are asked, whatever the first ones say: the time that a refusal takes tells nothing.
        held = [name for name, file in self._files.items() if name != role and file.accepts(digest)]
        if not held:
            raise _unauthorized(role, "the token is not known here", f'{_CHALLENGE}, error="invalid_token"')
        hint = "" if role in self._files else f"; this server has no tokens for it ({VARIABLES[role]} names their file)"
        raise Problem(
            "forbidden",
            f"{path[:80]} asks for a token of the role {role!r}; this one is for {' and '.join(held)}{hint}",
            headers={"WWW-Authenticate": f'{_CHALLENGE}, error="insufficient_scope", scope="{role}"'},
        )


def _unauthorized(role: Role, detail: str, challenge: str) -> Problem:
    return Problem("unauthorized", f"{detail} (role {role!r})", headers={"WWW-Authenticate": challenge})


def _digest(headers: Sequence[tuple[bytes, bytes]]) -> bytes | None:
    """The SHA-256 of the bearer token; None where there is none, or more than one header."""
    given = [value for name, value in headers if name == b"authorization"]
    if len(given) != 1:
        return None
    scheme, _, token = given[0].partition(b" ")
    return hashlib.sha256(token.strip()).digest() if scheme.lower() == b"bearer" else None


def secure_document(document: dict[str, Any]) -> None:
    """Say in an OpenAPI document which path asks for a token of which role."""
    schemes = document.setdefault("components", {}).setdefault("securitySchemes", {})
    for role in ROLES:
        schemes[role] = {"type": "http", "scheme": "bearer", "description": f"A token of the role {role}."}
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    for path, operations in document["paths"].items():
        if (wanted := role_of(path)) is None:
            continue
        for operation in operations.values():
            operation["security"] = [{wanted: []}]
            for kind in ("unauthorized", "forbidden"):
                status, title = TITLES[kind]
                operation["responses"][str(status)] = {"description": title, "content": content}
