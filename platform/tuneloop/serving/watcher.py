"""Follows the channel: polls it, and changes the live version once a new one has shown that it can answer."""

from __future__ import annotations

import asyncio
import functools
import logging
from pathlib import Path

from tuneloop.api import ServingError
from tuneloop.monitoring.metrics import metrics
from tuneloop.serving.channel import Channel, ChannelEntry, artifact_place, fetch_artifact, read_channel
from tuneloop.serving.engine import Engine
from tuneloop.serving.loader import Loaded, Reason, VersionRefusedError, load_version

logger = logging.getLogger(__name__)

POLL_SECONDS = 1.0


class ChannelWatcher:
    """Keeps an engine on the version its channel names.

    A version that is refused leaves the old one serving; it is counted, logged, and not tried again until the channel
    says something else.

    Args:
        url: Path or URL of the channel file.
        engine: Whose version is changed.
        cache: Where artifacts from URLs are kept.
        interval: Seconds between two looks.
    """

    def __init__(self, url: str, engine: Engine, cache: Path, interval: float = POLL_SECONDS) -> None:
        self._url, self._engine, self._cache, self._interval = url, engine, cache, interval
        self._refused: object = None

    async def first(self) -> Loaded | None:
        """What the channel names now, loaded; None where it cannot be read or is refused."""
        channel = await self._read()
        return None if channel is None else await self._load(channel)

    async def run(self) -> None:
        """Poll for ever; ends when cancelled."""
        while True:
            await asyncio.sleep(self._interval)
            try:
                await self.poll()
            except Exception:
                logger.exception("the channel %s could not be followed", self._url)

    async def poll(self) -> bool:
        """Look once, and change the version if the channel names another that may serve.

        Returns:
            Whether it was changed.
        """
        channel = await self._read()
        if channel is None:
            return False
        live = self._engine.live
        if (channel.model, channel.champion.version, channel.champion.sha256) == (
            self._engine.model,
            live.version,
            live.artifact.sha256,
        ):
            self._refused = None
            return False
        loaded = await self._load(channel)
        if loaded is None:
            return False
        await self._engine.swap(loaded)
        logger.info("%s: version %s follows %s", self._engine.model, loaded.version, live.version)
        return True

    async def _read(self) -> Channel | None:
        try:
            return await asyncio.to_thread(read_channel, self._url)
        except ServingError as error:
            self._refuse(str(error), "unreadable", str(error))
            return None

    async def _load(self, channel: Channel) -> Loaded | None:
        if self._refused == (channel.model, channel.champion):
            return None
        if channel.model != self._engine.model:
            detail = f"the channel is of model {channel.model!r}, this server of {self._engine.model!r}"
            self._refuse((channel.model, channel.champion), "wrong-model", detail)
            return None
        try:
            loaded = await asyncio.to_thread(functools.partial(self._heavy, channel.champion))
        except VersionRefusedError as error:
            self._refuse((channel.model, channel.champion), error.reason, str(error))
            return None
        self._refused = None
        return loaded

    def _heavy(self, entry: ChannelEntry) -> Loaded:
        try:
            folder = fetch_artifact(artifact_place(self._url, entry), entry.sha256, self._cache)
        except ServingError as error:
            raise VersionRefusedError("unreadable", str(error)) from error
        like = self._engine.live.artifact if self._engine.ready else None
        return load_version(folder, entry.version, model=self._engine.model, sha256=entry.sha256, like=like)

    def _refuse(self, what: object, reason: Reason, detail: str) -> None:
        """Count and log a refusal, once for each thing refused."""
        if self._refused == what:
            return
        self._refused = what
        metrics().channel_refusals.labels(self._engine.model, reason).inc()
        logger.error("the channel %s is not followed (%s): %s", self._url, reason, detail)
