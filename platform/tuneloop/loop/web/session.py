"""Who is signed in, without any state on the server: cookies, form tokens and login codes signed with derived keys.

Each purpose has a key of its own, `HMAC-SHA256(token, purpose)`, so nothing signed for one passes for another, and a
new token ends every session. A login code is good once, for minutes: `tuneloop loop page` makes it from the token file,
and the browser gives it back for a cookie, so the token itself is in no address and no history.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

SESSION_SECONDS = 12 * 3600.0
CODE_SECONDS = 300.0
LONGEST_NAME = 60
"""Characters of a person's name."""

_LONGEST = 2000
"""Characters of a signed text."""


@dataclass(frozen=True, slots=True)
class Session:
    """A person who brought the token. `who` is what they call themselves; `expires` is in Unix seconds."""

    who: str
    id: str
    expires: float


class Keys:
    """Signs and checks for one loop. Thread safe.

    Args:
        token: The loop's.
        clock: Unix seconds.
    """

    def __init__(self, token: str, clock: Callable[[], float] = time.time) -> None:
        self._token, self._clock, self._begun = token.encode(), clock, clock()
        self._used: dict[str, float] = {}
        self._lock = threading.Lock()

    @property
    def cookie(self) -> str:
        """The cookie's name. Browsers share cookies among the ports of a host: each loop needs a name of its own."""
        return f"tuneloop_{self._key('cookie name').hex()[:12]}"

    def is_token(self, given: str) -> bool:
        """Whether this is the token. Takes equally long wherever a wrong one differs."""
        return hmac.compare_digest(_digest(given.encode("utf-8", "replace")), _digest(self._token))

    def open(self, who: str) -> tuple[str, Session]:
        """A new session, and the cookie's value."""
        session = Session(who, secrets.token_urlsafe(16), self._clock() + SESSION_SECONDS)
        content = {"who": session.who, "id": session.id, "expires": session.expires}
        return self._sign("session", content), session

    def session(self, cookie: str) -> Session | None:
        """The session of a cookie; None where it was not signed here, or is over."""
        found = self._read("session", cookie)
        if found is None or found["expires"] <= self._clock():
            return None
        return Session(found["who"], found["id"], found["expires"])

    def form(self, session: Session) -> str:
        """What every form of a session must bring along."""
        return hmac.new(self._key("form"), session.id.encode(), hashlib.sha256).hexdigest()

    def is_form(self, session: Session, given: str) -> bool:
        """Whether a form was made for this session."""
        return hmac.compare_digest(given.encode("utf-8", "replace"), self.form(session).encode())

    def code(self, who: str) -> str:
        """A login code."""
        content = {"who": who, "id": secrets.token_urlsafe(16), "made": self._clock()}
        return self._sign("code", content)

    def name_in(self, code: str) -> str:
        """The name in a login code, used or not; empty where it was not made with this token."""
        found = self._read("code", code)
        return "" if found is None else str(found["who"])

    def redeem(self, code: str) -> str | None:
        """The name in a login code, the first time it is brought; None where it is not good, or not any more.

        Codes that are older than this process are refused, as it cannot know whether they were used.
        """
        found, now = self._read("code", code), self._clock()
        if found is None or not max(self._begun, now - CODE_SECONDS) <= found["made"] <= now + 1:
            return None
        with self._lock:
            self._used = {id_: made for id_, made in self._used.items() if now - made <= CODE_SECONDS + 1}
            if found["id"] in self._used:
                return None
            self._used[found["id"]] = found["made"]
        return str(found["who"])

    def _key(self, purpose: str) -> bytes:
        return hmac.digest(self._token, f"tuneloop loop page: {purpose}".encode(), "sha256")

    def _sign(self, purpose: str, content: dict[str, Any]) -> str:
        text = base64.urlsafe_b64encode(json.dumps(content, separators=(",", ":")).encode()).decode().rstrip("=")
        return f"{text}.{self._mac(purpose, text)}"

    def _read(self, purpose: str, signed: str) -> dict[str, Any] | None:
        text, _, mac = signed.partition(".")
        if len(signed) > _LONGEST or not signed.isascii():
            return None
        if not hmac.compare_digest(mac, self._mac(purpose, text)):
            return None
        # Whoever could sign it knows the token: it is what `_sign` made.
        content: dict[str, Any] = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        return content

    def _mac(self, purpose: str, text: str) -> str:
        return hmac.new(self._key(purpose), text.encode(), hashlib.sha256).hexdigest()


def clean_name(given: str) -> str:
    """A person's name as it is recorded: printable, on one line, at most `LONGEST_NAME` characters."""
    return one_line(given, LONGEST_NAME)


def one_line(given: str, longest: int) -> str:
    """A text that somebody typed as it is recorded: printable, on one line, cut at so many characters."""
    return " ".join("".join(c for c in given if c.isprintable() or c.isspace()).split())[:longest].strip()


def _digest(value: bytes) -> bytes:
    return hashlib.sha256(value).digest()
