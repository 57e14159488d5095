"""Promote and roll back: the registry's alias, the channel file that servers watch, and the observers."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from tuneloop.api import PromotionEvent
from tuneloop.registry import CHAMPION, Move, Registry
from tuneloop.serving.channel import Channel, ChannelEntry, write_channel

if TYPE_CHECKING:
    from tuneloop.config import Project
    from tuneloop.plugins import PluginManager


def channel_path(project: Project) -> Path:
    """The project's channel file."""
    return project.state / "channel.json"


def promote(project: Project, plugins: PluginManager, wanted: str, *, who: str, why: str) -> Move:
    """Make a version the champion, and let servers take it.

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
    """Make the previous champion the champion again, and let servers take it.

    Raises:
        RegistryError: There is no previous champion.
    """
    registry = Registry(project)
    return _announce(project, plugins, registry, registry.rollback(who, why))


def publish(project: Project, registry: Registry) -> Channel:
    """Write the channel file from the registry's champion: right again also after a promotion that was cut off.

    Raises:
        RegistryError: There is no champion.
        ServingError: The channel cannot be written.
    """
    version, artifact = registry.resolve(CHAMPION), registry.fetch(CHAMPION)
    channel = Channel(
        model=project.name,
        champion=ChannelEntry(version=version.number, artifact=str(artifact.folder.resolve()), sha256=artifact.sha256),
        updated=f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
    )
    write_channel(str(channel_path(project)), channel)
    return channel


def _announce(project: Project, plugins: PluginManager, registry: Registry, move: Move) -> Move:
    publish(project, registry)
    event = PromotionEvent(project.name, move.version, move.previous, move.who, move.why)
    plugins.notify("tuneloop_promoted", event)
    return move
