"""Whether the servers took a version: what their `/metrics` say, before and after the channel names it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.error import HTTPError

import pydantic

from tuneloop.api import ServingError
from tuneloop.loop.training import Stopped
from tuneloop.monitoring.exposition import parse
from tuneloop.monitoring.webhook import get

logger = logging.getLogger(__name__)

LIVE, REFUSALS = "tuneloop_live_version", "tuneloop_channel_refusals_total"
_PREFIXES = "tuneloop_"


class View(pydantic.BaseModel):
    """One look at a server: workers by version and SHA-256 (`2 3fc0...`), and refusals of the channel by reason."""

    model_config = pydantic.ConfigDict(frozen=True)
    live: dict[str, float] = {}
    refusals: dict[str, float] = {}


@dataclass(frozen=True, slots=True)
class RolloutResult:
    """Whether every worker answers with the version, and a sentence that says so or why not."""

    live: bool
    sentence: str


@dataclass(frozen=True)
class Rollout:
    """Watches one server take a version.

    Attributes:
        server_url: Its address, such as `http://127.0.0.1:3000`.
        model: The model's name.
        deadline: Seconds until every worker must answer with the version.
        poll: Seconds between two looks.
        stopping: Set when the loop is asked to end.
        fetch: The page behind an address; raises ServingError.
        clock: Monotonic seconds.
    """

    server_url: str
    model: str
    deadline: float = 120.0
    poll: float = 0.2
    stopping: threading.Event = field(default_factory=threading.Event)
    fetch: Callable[[str], str] = get
    clock: Callable[[], float] = time.monotonic

    def look(self) -> View | None:
        """What the server says now; None where it does not answer or says nothing of this model."""
        try:
            samples = parse(self.fetch(f"{self.server_url}/metrics"), _PREFIXES, {"model": self.model})
        except ServingError as error:
            if isinstance(error.__cause__, HTTPError):
                logger.warning("what is live cannot be seen; TUNELOOP_ADMIN_TOKEN_FILE names its token: %s", error)
            return None
        live: dict[str, float] = {}
        refusals: dict[str, float] = {}
        for (name, pairs), value in samples.items():
            labels = dict(pairs)
            if name == LIVE and value > 0:
                live[_key(labels["version"], labels["sha256"])] = value
            elif name == REFUSALS:
                refusals[labels["reason"]] = value
        return View(live=live, refusals=refusals) if live else None

    def wait(self, version: str, sha256: str, before: View | None) -> RolloutResult:
        """Wait until every worker answers with the version, one refuses it, or time is up.

        Args:
            version: As in the channel.
            sha256: Of its artifact.
            before: The look before the channel named it; None: no server answered then, so none is waited for.

        Raises:
            Stopped: The loop is asked to end.
        """
        if before is None:
            return RolloutResult(True, f"no server answered at {self.server_url}; the next one to start takes it")
        wanted, end, agreed, last = _key(version, sha256), self.clock() + self.deadline, False, before
        while True:
            view = self.look()
            if view is not None:
                refused = _more(before.refusals, view.refusals)
                if refused:
                    return RolloutResult(False, f"a worker at {self.server_url} refused it: {', '.join(refused)}")
                done = set(view.live) == {wanted}
                # A worker that restarts is absent for a moment: two looks must agree.
                if done and agreed:
                    return RolloutResult(
                        True, f"every worker at {self.server_url} answers with it ({view.live[wanted]:.0f})"
                    )
                agreed, last = done, view
            if self.clock() > end:
                found = ", ".join(f"{count:.0f} x {key.split()[0]}" for key, count in sorted(last.live.items()))
                silent = "" if view is not None else "; it does not answer any more"
                return RolloutResult(
                    False, f"after {self.deadline:.0f} s {self.server_url} serves versions {found}{silent}"
                )
            if self.stopping.wait(self.poll):
                raise Stopped


def _key(version: str, sha256: str) -> str:
    return f"{version} {sha256}"


def _more(before: Mapping[str, float], after: Mapping[str, float]) -> list[str]:
    return sorted(reason for reason, count in after.items() if count > before.get(reason, 0.0))


def as_view(value: Any) -> View | None:
    """The look that a durable step recorded."""
    return None if value is None else View.model_validate(value)
