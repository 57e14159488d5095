"""Follows the channel: polls it, and changes an engine's versions once new ones have shown that they can answer."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import time
from collections.abc import Callable
from pathlib import Path

from tuneloop.api import ServingError
from tuneloop.monitoring.metrics import metrics
from tuneloop.serving.device import Device
from tuneloop.serving.engine import Engine
from tuneloop.serving.loader import Loaded, Reason, VersionRefusedError, load_version
from tuneloop.serving.trust.signature import SignatureError, Verifier
from tuneloop.serving.versions.challenger import Challenger
from tuneloop.serving.versions.channel import ChallengerEntry, Channel, ChannelEntry, artifact_place, read_channel
from tuneloop.serving.versions.transfer import fetch_artifact, forget_artifacts

logger = logging.getLogger(__name__)

POLL_SECONDS = 1.0
RETRY_SECONDS = 5.0
"""Until an artifact that could not be read is tried again: a network may come back."""


class Refusals:
    """What was refused last: it is counted and logged once, and not tried again while it stays.

    Args:
        count: Adds one to the counter of refusals by reason.
        clock: Monotonic seconds.
    """

    def __init__(self, count: Callable[[Reason], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._count, self._clock = count, clock
        self._what: object = None
        self._again = 0.0

    def note(self, what: object, reason: Reason, detail: str) -> None:
        """Refuse a thing."""
        self._again = self._clock() + RETRY_SECONDS if reason == "unreadable" else float("inf")
        if self._what == what:
            return
        self._what = what
        self._count(reason)
        logger.error("the channel is not followed (%s): %s", reason, detail)

    def hold(self, what: object) -> bool:
        """Whether a thing was refused and is not to be tried again yet."""
        return self._what == what and self._clock() < self._again

    def clear(self) -> None:
        """Nothing is refused any more."""
        self._what = None


class ChannelWatcher:
    """Keeps an engine on the champion its channel names, and on the challenger, where it names one.

    A version that is refused leaves the old one serving; it is counted, logged, and not tried again until the channel
    is written again, unless it could not be read. A refused challenger leaves the champion alone.

    Args:
        url: Path or URL of the channel file.
        engine: Whose version is changed.
        cache: Where artifacts from URLs are kept.
        interval: Seconds between two looks.
        device: Where versions run.
        verifier: Checks that each version is signed; None: it need not be.
    """

    def __init__(
        self,
        url: str,
        engine: Engine,
        cache: Path,
        interval: float = POLL_SECONDS,
        *,
        device: Device = "cpu",
        verifier: Verifier | None = None,
    ) -> None:
        self._url, self._engine, self._cache, self._interval = url, engine, cache, interval
        self._device, self._verifier = device, verifier
        all_, model = metrics(), engine.model
        self._champions = Refusals(lambda reason: all_.channel_refusals.labels(model, reason).inc())
        self._challengers = Refusals(lambda reason: all_.challenger_refusals.labels(model, reason).inc())

    async def first(self) -> Loaded | None:
        """The champion the channel names now, loaded; None where it cannot be read or is refused."""
        channel = await self._read()
        return None if channel is None else await self._load(channel, channel.champion, self._champions)

    async def run(self) -> None:
        """Poll for ever; ends when cancelled."""
        while True:
            await asyncio.sleep(self._interval)
            await self.look()

    async def look(self) -> None:
        """`poll`, with what fails logged."""
        try:
            await self.poll()
        except Exception:
            logger.exception("the channel %s could not be followed", self._url)

    async def poll(self) -> bool:
        """Look once, and change the versions if the channel names others that may serve.

        Returns:
            Whether the champion was changed.
        """
        channel = await self._read()
        if channel is None:
            return False
        changed = await self._follow_champion(channel)
        changed_too = await self._follow_challenger(channel)
        if changed or changed_too:
            await asyncio.to_thread(forget_artifacts, self._cache, self._used())
        return changed

    async def _follow_champion(self, channel: Channel) -> bool:
        live = self._engine.live
        if (channel.model, channel.champion.version, channel.champion.sha256) == (
            self._engine.model,
            live.version,
            live.artifact.sha256,
        ):
            self._champions.clear()
            return False
        loaded = self._tried(channel.champion) or await self._load(channel, channel.champion, self._champions)
        if loaded is None:
            return False
        await self._engine.swap(loaded)
        logger.info("%s: version %s follows %s", self._engine.model, loaded.version, live.version)
        return True

    async def _follow_challenger(self, channel: Channel) -> bool:
        wanted, tried = channel.challenger, self._engine.challenger
        if channel.model != self._engine.model or (wanted and wanted.sha256 == self._engine.live.artifact.sha256):
            wanted = None
        if wanted == (None if tried is None else tried.entry):
            return False
        challenger = None
        if wanted is not None:
            loaded = self._tried(wanted) or await self._load(channel, wanted, self._challengers)
            if loaded is not None and not self._fits(loaded, channel, wanted):
                loaded = None
            challenger = None if loaded is None else await Challenger.open(self._engine, loaded, wanted)
        else:
            self._challengers.clear()
        if challenger is None and tried is None:
            return False
        await self._engine.challenge(challenger)
        logger.info("%s: challenger %s", self._engine.model, "none" if challenger is None else challenger.entry)
        return True

    def _fits(self, loaded: Loaded, channel: Channel, entry: ChallengerEntry) -> bool:
        """Whether a challenger gives every tensor that clients of the champion may ask for."""
        lacking = set(self._engine.live.predictor.output_names) - set(loaded.predictor.output_names)
        if lacking:
            said = f"version {entry.version} lacks the outputs {', '.join(sorted(lacking))}"
            self._challengers.note((channel.updated, channel.model, entry), "signature", said)
        return not lacking

    def _tried(self, entry: ChannelEntry) -> Loaded | None:
        """A version that is loaded already, as the challenger; None where it is not."""
        tried = self._engine.challenger
        if tried is None or (tried.entry.version, tried.entry.sha256) != (entry.version, entry.sha256):
            return None
        with contextlib.suppress(VersionRefusedError):
            self._check_signature(entry)
            return tried.live.loaded
        return None

    def _used(self) -> set[str]:
        tried = self._engine.challenger
        return {self._engine.live.artifact.sha256, *(() if tried is None else (tried.entry.sha256,))}

    async def _read(self) -> Channel | None:
        try:
            return await asyncio.to_thread(read_channel, self._url)
        except ServingError as error:
            self._champions.note(str(error), "unreadable", str(error))
            return None

    async def _load(self, channel: Channel, entry: ChannelEntry, refusals: Refusals) -> Loaded | None:
        # Writing the channel once more is how to ask for a version again that was refused, and mended since.
        model, what = channel.model, (channel.updated, channel.model, entry)
        if refusals.hold(what):
            return None
        if model != self._engine.model:
            detail = f"the channel is of model {model!r}, this server of {self._engine.model!r}"
            refusals.note(what, "wrong-model", f"{self._url}: {detail}")
            return None
        try:
            loaded = await asyncio.to_thread(functools.partial(self._heavy, entry))
        except VersionRefusedError as error:
            refusals.note(what, error.reason, f"{self._url}: {error}")
            await asyncio.to_thread(forget_artifacts, self._cache, self._used() if self._engine.ready else ())
            return None
        refusals.clear()
        return loaded

    def _heavy(self, entry: ChannelEntry) -> Loaded:
        self._check_signature(entry)
        try:
            folder = fetch_artifact(artifact_place(self._url, entry), entry.sha256, self._cache)
        except ServingError as error:
            raise VersionRefusedError("unreadable", str(error)) from error
        like = self._engine.live.artifact if self._engine.ready else None
        return load_version(
            folder, entry.version, model=self._engine.model, sha256=entry.sha256, like=like, device=self._device
        )

    def _check_signature(self, entry: ChannelEntry) -> None:
        if self._verifier is None:
            return
        envelope = None if entry.signature is None else entry.signature.encode()
        try:
            self._verifier.check_model(envelope, entry.sha256, model=self._engine.model, version=entry.version)
        except SignatureError as error:
            raise VersionRefusedError("untrusted", str(error)) from error
