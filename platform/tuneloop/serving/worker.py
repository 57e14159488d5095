"""What lives in one worker process: the engine, and the task that follows the channel."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import tempfile
from pathlib import Path

from tuneloop.serving.device import Device
from tuneloop.serving.doors.drain import Drain
from tuneloop.serving.engine import Engine
from tuneloop.serving.loader import load_version
from tuneloop.serving.settings import Settings
from tuneloop.serving.trust.signature import Verifier
from tuneloop.serving.versions.watcher import ChannelWatcher


class Worker:
    """What lives in one worker process: the engine, and the task that follows the channel."""

    def __init__(
        self,
        folder: Path,
        version: str,
        model: str,
        settings: Settings,
        *,
        device: Device = "cpu",
        verifier: Verifier | None = None,
    ) -> None:
        self._folder, self._version, self._settings = folder, version, settings
        self._device, self._verifier = device, verifier
        self.engine = Engine(model, threads=settings.threads, store=settings.store, limits=settings.limits)
        self.drain = Drain.from_environment()
        self._following: asyncio.Task[None] | None = None
        self._cache: tempfile.TemporaryDirectory[str] | None = None

    async def start(self) -> None:
        """Load the version to serve; the one in the Bento where the channel names none that may serve."""
        loaded = None
        watcher = None
        if self._settings.channel is not None:
            self._cache = tempfile.TemporaryDirectory(prefix="tuneloop-artifacts-")
            watcher = ChannelWatcher(
                self._settings.channel,
                self.engine,
                Path(self._cache.name),
                device=self._device,
                verifier=self._verifier,
            )
            loaded = await watcher.first()
        if loaded is None:
            own = functools.partial(
                load_version, self._folder, self._version, model=self.engine.model, device=self._device
            )
            loaded = await asyncio.to_thread(own)
        await self.engine.start(loaded)
        if watcher is not None:
            # The challenger is there before the first request, so that a restart moves no key to the champion.
            await watcher.look()
            self._following = asyncio.create_task(watcher.run())

    async def stop(self) -> None:
        """Finish what is under way; flush counters and store."""
        if self._following is not None:
            self._following.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._following
        await self.engine.stop()
        if self._cache is not None:
            self._cache.cleanup()
