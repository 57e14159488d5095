"""One post to a webhook, with time-outs and retries. What is reported of the address is its host alone."""

from __future__ import annotations

import http.client
import ipaddress
import json
import threading
import urllib.error
import urllib.request
from email.message import Message
from typing import IO, Any
from urllib.parse import urlsplit

from tuneloop.api import PluginError

_TIMEOUT = 3.0
_ATTEMPTS = 4
_FIRST_PAUSE = 0.25
_LONGEST_PAUSE = 5.0


class NotDeliveredError(Exception):
    """A message was given up; the text says why, without the address."""


class Webhook:
    """An address that takes `{"text": ...}` by POST."""

    def __init__(self, url: str, *, name: str) -> None:
        """Check the address.

        Args:
            url: Of the webhook: https, or http to this machine.
            name: Where it comes from, for messages: the address itself is a secret.

        Raises:
            PluginError: It is no address that may be posted to.
        """
        parts = urlsplit(url)
        self.host = parts.hostname or ""
        if not self.host or not (parts.scheme == "https" or (parts.scheme == "http" and _is_local(self.host))):
            raise PluginError(
                f"{name} holds no address of a webhook (its value is not shown): "
                "it begins with https://, such as https://hooks.slack.com/services/..."
            )
        self._url = url
        self._opener = urllib.request.build_opener(_NoRedirect())

    def post(self, text: str, stopping: threading.Event) -> None:
        """Send one message.

        Args:
            text: In Slack's markup.
            stopping: Once set, no pause is waited for and nothing is tried again.

        Raises:
            NotDeliveredError: It was refused, or nobody answered any attempt.
        """
        body = json.dumps({"text": text}).encode()
        pause = _FIRST_PAUSE
        for attempt in range(1, _ATTEMPTS + 1):
            request = urllib.request.Request(self._url, body, {"Content-Type": "application/json"})
            asked = 0.0
            try:
                with self._opener.open(request, timeout=_TIMEOUT) as answer:
                    answer.read(1024)
                return
            except urllib.error.HTTPError as error:
                with error:
                    said, asked = f"status {error.code}", _seconds(error.headers.get("Retry-After"))
                if error.code != 429 and error.code < 500:
                    raise NotDeliveredError(f"{self.host} refused it with {said}") from None
            except (OSError, http.client.HTTPException, ValueError) as error:
                # Texts of these errors may quote the address.
                said = type(getattr(error, "reason", error)).__name__
            if attempt == _ATTEMPTS or stopping.wait(min(max(pause, asked), _LONGEST_PAUSE)):
                raise NotDeliveredError(
                    f"{self.host} did not take it in {attempt} attempts; the last ended with {said}"
                )
            pause *= 2


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A webhook does not move: whoever redirects would get what is posted."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Message, newurl: str
    ) -> Any:
        """Follow nothing: the status becomes an error."""
        return None


def _is_local(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _seconds(text: str | None) -> float:
    return float(text) if text and text.isdecimal() else 0.0
