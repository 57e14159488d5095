"""Whether the servers took a version: what their `/metrics` say, before and after the channel names it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.error import HTTPError

import pydantic

from tuneloop.api import ServingError
from tuneloop.loop.servers import resolve
from tuneloop.loop.training import Stopped
from tuneloop.loop.trials.counting import Page, read_page
from tuneloop.monitoring.exposition import parse
from tuneloop.monitoring.webhook import get

logger = logging.getLogger(__name__)

LIVE, REFUSALS = "tuneloop_live_version", "tuneloop_channel_refusals_total"
_PREFIXES = "tuneloop_"


class View(pydantic.BaseModel):
    """One look at the servers: workers by version and SHA-256 (`2 3fc0...`), refusals by server, and who answered.

    A key of `refusals` is the server's address, a space, and the reason.
    """

    model_config = pydantic.ConfigDict(frozen=True)
    live: dict[str, float] = {}
    refusals: dict[str, float] = {}
    servers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RolloutResult:
    """Whether every worker answers with the version, and a sentence that says so or why not."""

    live: bool
    sentence: str


@dataclass(frozen=True)
class Rollout:
    """Watches servers take a version.

    Attributes:
        servers: Their addresses, such as `http://127.0.0.1:3000`; see `servers.resolve`.
        model: The model's name.
        deadline: Seconds until every worker must answer with the version.
        poll: Seconds between two looks.
        stopping: Set when the loop is asked to end.
        fetch: The page behind an address; raises ServingError.
        clock: Monotonic seconds.
    """

    servers: tuple[str, ...]
    model: str
    deadline: float = 120.0
    poll: float = 0.2
    stopping: threading.Event = field(default_factory=threading.Event)
    fetch: Callable[[str], str] = get
    clock: Callable[[], float] = time.monotonic

    @property
    def at(self) -> str:
        """The addresses in words."""
        return ", ".join(self.servers)

    def pages(self) -> dict[str, str]:
        """The metrics pages of the servers that answer now, by address."""
        found: dict[str, str] = {}
        for url in self._resolved():
            try:
                found[url] = self.fetch(f"{url}/metrics")
            except ServingError as error:
                if isinstance(error.__cause__, HTTPError):
                    logger.warning("what is live cannot be seen; TUNELOOP_ADMIN_TOKEN_FILE names its token: %s", error)
        return found

    def _resolved(self) -> list[str]:
        found: list[str] = []
        for server in self.servers:
            try:
                found += resolve(server)
            except ServingError as error:
                logger.warning("%s", error)
        return found

    def counters(self, versions: Collection[str]) -> dict[str, Page]:
        """How these versions do by now, by address; a server that does not answer is left out."""
        found: dict[str, Page] = {}
        for url, text in self.pages().items():
            try:
                found[url] = read_page(text, self.model, versions)
            except ServingError as error:
                logger.warning("what %s counted cannot be read: %s", url, error)
        return found

    def look(self) -> View | None:
        """What the servers say now; None where none answers or says anything of this model."""
        live: dict[str, float] = {}
        refusals: dict[str, float] = {}
        servers: list[str] = []
        for url, text in self.pages().items():
            answers = False
            try:
                samples = parse(text, _PREFIXES, {"model": self.model})
            except ServingError:
                continue
            for (name, pairs), value in samples.items():
                labels = dict(pairs)
                if name == LIVE and value > 0:
                    key, answers = _key(labels["version"], labels["sha256"]), True
                    live[key] = live.get(key, 0.0) + value
                elif name == REFUSALS:
                    refusals[f"{url} {labels['reason']}"] = value
            if answers:
                servers.append(url)
        return View(live=live, refusals=refusals, servers=tuple(servers)) if live else None

    def wait(self, version: str, sha256: str, before: View | None) -> RolloutResult:
        """Wait until every worker answers with the version, one refuses it, or time is up.

        Args:
            version: As in the channel.
            sha256: Of its artifact.
            before: The look before the channel named it; only the servers that answered then are waited for.

        Raises:
            Stopped: The loop is asked to end.
        """
        if before is None:
            return RolloutResult(True, f"no server answered at {self.at}; the next one to start takes it")
        wanted, end, agreed, last = _key(version, sha256), self.clock() + self.deadline, False, before
        while True:
            view = self.look()
            if view is not None:
                refused = _more(before.refusals, view.refusals)
                if refused:
                    return RolloutResult(False, f"a worker at {refused[0][0]} refused it: {refused[0][1]}")
                # One that only a name resolved to may be gone for good.
                lasting = set(before.servers) & set(self.servers)
                done = set(view.live) == {wanted} and lasting <= set(view.servers)
                # A worker that restarts is absent for a moment: two looks must agree.
                if done and agreed:
                    return RolloutResult(True, f"every worker at {self.at} answers with it ({view.live[wanted]:.0f})")
                agreed, last = done, view
            if self.clock() > end:
                found = ", ".join(f"{count:.0f} x {key.split()[0]}" for key, count in sorted(last.live.items()))
                gone = sorted(set(before.servers) - set(() if view is None else view.servers))
                silent = f"; {', '.join(gone)} does not answer any more" if gone else ""
                return RolloutResult(False, f"after {self.deadline:.0f} s {self.at} serves versions {found}{silent}")
            if self.stopping.wait(self.poll):
                raise Stopped


def _key(version: str, sha256: str) -> str:
    return f"{version} {sha256}"


def _more(before: Mapping[str, float], after: Mapping[str, float]) -> list[tuple[str, str]]:
    """Servers and reasons of new refusals."""
    keys = sorted(key for key, count in after.items() if count > before.get(key, 0.0))
    return [(key.rpartition(" ")[0], key.rpartition(" ")[2]) for key in keys]


def as_view(value: Any) -> View | None:
    """The look that a durable step recorded."""
    return None if value is None else View.model_validate(value)
