"""What holds for every request to the page: whose name it was sent to, where it came from, what a browser may do."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Collection
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""No script runs here, ours included."""
REPORT_POLICY = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'"
"""For a run's report, which carries its style: an origin of its own, no script, no forms, nothing from elsewhere."""

HEADERS = {
    "Content-Security-Policy": POLICY,
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    # Not `no-referrer`: with it browsers send forms with `Origin: null`.
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""Of every answer that does not set them itself."""

_READING = ("GET", "HEAD")


class Guard:
    """Lets through what was sent to a name of this loop, and changes only from its own pages.

    A stranger's site can point its own name at this machine and have a visitor's browser talk to the loop (DNS
    rebinding). Such requests carry that name in `Host`; an address in digits, or `localhost`, cannot be a stranger's.

    Args:
        app: The page.
        names: Host names that are the loop's, besides `localhost`, this machine's name and all addresses in digits.
    """

    def __init__(self, app: ASGIApp, names: Collection[str] = ()) -> None:
        self._app = app
        self._names = {"localhost", socket.gethostname().lower(), *(name.lower() for name in names)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        if scope["type"] != "http":
            await send({"type": "websocket.close"})
            return
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        refusal = self._refusal(scope["method"], headers, scope["scheme"])

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                present = {name.lower() for name, _ in message["headers"]}
                message["headers"] = [
                    *message["headers"],
                    *((n.encode(), v.encode()) for n, v in HEADERS.items() if n.lower().encode() not in present),
                ]
            await send(message)

        if refusal is not None:
            from starlette.responses import PlainTextResponse

            await PlainTextResponse(refusal[1], refusal[0])(scope, receive, answer)
            return
        await self._app(scope, receive, answer)

    def _refusal(self, method: str, headers: dict[str, str], scheme: str) -> tuple[int, str] | None:
        host = headers.get("host", "")
        if not self._is_ours(host):
            return 421, f"{host or 'no name'!r} is no name of this loop; start it with `--page-host` and that name"
        if method in _READING:
            return None
        # Browsers say where a form came from in either header, and pages cannot forge them.
        site, origin = headers.get("sec-fetch-site"), headers.get("origin")
        if site is not None and site != "same-origin":
            return 403, f"this form comes from another site ({site})"
        if origin is not None and not _same(origin, scheme, host):
            return 403, f"this form comes from {origin}, not from {host}; a proxy in between must pass `Host` on"
        return None

    def _is_ours(self, host: str) -> bool:
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        try:
            ipaddress.ip_address(name.partition("%")[0])
        except ValueError:
            return name.rstrip(".") in self._names
        return True


def _same(origin: str, scheme: str, host: str) -> bool:
    return origin.lower() in (f"{scheme}://{host}".lower(), f"https://{host}".lower())


def secure(scope: Any) -> bool:
    """Whether a request came by https.

    Behind a proxy that ends TLS, uvicorn takes this from `X-Forwarded-Proto`, from proxies on this machine and those
    that `FORWARDED_ALLOW_IPS` lists, and from nobody else.
    """
    return bool(scope["scheme"] == "https")
