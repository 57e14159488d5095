"""Promote and roll back: the registry's alias, the channel file that servers watch, and the observers."""

from __future__ import annotations

import contextlib
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from tuneloop.api import PromotionEvent, ServingError
from tuneloop.pipeline.package import signature_of
from tuneloop.registry import CHAMPION, Move, Registry
from tuneloop.serving.versions.channel import (
    ChallengerEntry,
    Channel,
    ChannelEntry,
    is_url,
    read_channel,
    write_channel,
)
from tuneloop.serving.versions.transfer import mirror_channel

if TYPE_CHECKING:
    from tuneloop.artifact import Artifact
    from tuneloop.config import Project
    from tuneloop.plugins import PluginManager


def channel_path(project: Project) -> Path:
    """The project's channel file."""
    return project.state / "channel.json"


def promote(project: Project, plugins: PluginManager, wanted: str, *, who: str, why: str) -> Move:
    """Make a version the champion, and let servers take it. A challenger is tried no more.

    Args:
        project: The project.
        plugins: Observers among them are told.
        wanted: A version number or alias.
        who: Who does it.
        why: For what reason; it is recorded.

    Raises:
        RegistryError: There is no such version, or it is the champion already.
    """
    registry = Registry(project)
    # The artifact is verified before anything moves.
    registry.fetch(wanted)
    return _announce(project, plugins, registry, registry.promote(wanted, who, why))


def rollback(project: Project, plugins: PluginManager, *, who: str, why: str) -> Move:
    """Make the previous champion the champion again, and let servers take it. A challenger is tried no more.

    Raises:
        RegistryError: There is no previous champion.
    """
    registry = Registry(project)
    return _announce(project, plugins, registry, registry.rollback(who, why))


class _Keep:
    """That the challenger stays as it is."""


KEEP = _Keep()


def publish(project: Project, registry: Registry, challenger: ChallengerEntry | _Keep | None = KEEP) -> Channel:
    """Write the channel file from the registry's champion: right again also after a promotion that was cut off.

    Where `TUNELOOP_CHANNEL` is an fsspec URL, such as `s3://bucket/desk/channel.json`, the artifacts are copied beside
    it, and the channel is written there too.

    Args:
        project: The project.
        registry: Its registry.
        challenger: What is tried beside the champion; by default what was, if it was tried beside this champion.

    Raises:
        RegistryError: There is no champion.
        ServingError: The channel cannot be written.
    """
    version, artifact = registry.resolve(CHAMPION), registry.fetch(CHAMPION)
    champion = channel_entry(project, version.number, artifact)
    before = current_channel(project)
    if isinstance(challenger, _Keep):
        same = before is not None and before.champion.sha256 == champion.sha256
        challenger = before.challenger if before is not None and same else None
    channel = Channel(
        model=project.name,
        champion=champion,
        challenger=challenger,
        updated=f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
    )
    url = os.environ.get("TUNELOOP_CHANNEL", "")
    if is_url(url):
        mirror_channel(url, channel)
    write_channel(str(channel_path(project)), channel)
    return channel


def current_channel(project: Project) -> Channel | None:
    """What the channel file says now; None where there is none, or it is not readable."""
    with contextlib.suppress(ServingError):
        return read_channel(str(channel_path(project)))
    return None


def channel_entry(project: Project, number: str, artifact: Artifact) -> ChannelEntry:
    """What the channel says of a version."""
    return ChannelEntry(
        version=number,
        artifact=str(artifact.folder.resolve()),
        sha256=artifact.sha256,
        signature=signature_of(project, number),
    )


def _announce(project: Project, plugins: PluginManager, registry: Registry, move: Move) -> Move:
    publish(project, registry)
    event = PromotionEvent(project.name, move.version, move.previous, move.who, move.why)
    plugins.notify("tuneloop_promoted", event)
    return move
