"""Promote and roll back: the registry's alias, the channel file that servers watch, and the observers."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from tuneloop.api import PromotionEvent, ServingError, TuneloopError
from tuneloop.artifact import TRAINING, Artifact
from tuneloop.pipeline.delivering.package import signature_of
from tuneloop.pipeline.runs.sharing import shared_place
from tuneloop.registry import CHAMPION, Move, Registry
from tuneloop.serving.versions.channel import (
    ChallengerEntry,
    Channel,
    ChannelEntry,
    artifact_place,
    read_channel,
    write_channel,
)
from tuneloop.serving.versions.transfer import kept_signature, mirror_channel
from tuneloop.storage import fetch_artifact, is_url

if TYPE_CHECKING:
    from tuneloop.config import Project
    from tuneloop.plugins import PluginManager

logger = logging.getLogger(__name__)


def channel_path(project: Project) -> Path:
    """The project's channel file."""
    return project.state / "channel.json"


def channel_url(project: Project) -> str:
    """Where hosts share a channel: the URL in `TUNELOOP_CHANNEL`, or else the project's storage; empty: nowhere."""
    url = os.environ.get("TUNELOOP_CHANNEL", "")
    return url if is_url(url) else shared_place(project, "channel.json") or ""


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
    it, and the channel is written there too; without it, to the project's storage, where it has one.

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
    if url := channel_url(project):
        mirror_channel(url, channel)
    write_channel(str(channel_path(project)), channel)
    return channel


def current_channel(project: Project) -> Channel | None:
    """What the channel says now, with artifacts in folders of this machine; None where there is none to be read.

    Another host may have written the one that hosts share: that one counts, and the file of this project follows it.
    """
    known = None
    with contextlib.suppress(ServingError):
        known = read_channel(str(channel_path(project)))
    url = channel_url(project)
    if not url:
        return known
    try:
        shared = read_channel(url)
    except ServingError as error:
        if known is not None:
            logger.warning("what was known of the channel holds: %s", error)
        return known
    if known is None or _without_places(known) != _without_places(shared):
        known = _brought_here(project, url, shared)
    return known


def _without_places(channel: Channel) -> Channel:
    """The same for a channel and for its mirror, whose artifacts lie elsewhere."""
    return _moved(channel, {role: "" for role, _ in _roles(channel)})


def _moved(channel: Channel, places: Mapping[str, str]) -> Channel:
    """The channel with its artifacts at other places, by role."""
    found = {role: entry.model_copy(update={"artifact": places[role]}) for role, entry in _roles(channel)}
    return channel.model_copy(update=found)


def _roles(channel: Channel) -> list[tuple[str, ChannelEntry]]:
    found = (("champion", channel.champion), ("challenger", channel.challenger))
    return [(role, entry) for role, entry in found if entry is not None]


def _brought_here(project: Project, url: str, shared: Channel) -> Channel:
    """Write the project's own channel file as another host wrote the shared one, and fetch what it names."""
    registry, places = Registry(project), {}
    try:
        for role, entry in _roles(shared):
            places[role] = str(shared_artifact(project, registry, url, entry).folder.resolve())
        channel = _moved(shared, places)
        write_channel(str(channel_path(project)), channel)
        return channel
    except TuneloopError as error:
        logger.warning("the artifacts of the channel %s cannot be had now: %s", url, error)
        return _moved(shared, {role: artifact_place(url, entry) for role, entry in _roles(shared)})


def shared_artifact(project: Project, registry: Registry, url: str, entry: ChannelEntry) -> Artifact:
    """The artifact that a shared channel names: by the registry, or from beside the channel where it knows none.

    Raises:
        TuneloopError: It cannot be had, or is another one.
    """
    if registry.find(entry.version) is not None:
        artifact = registry.fetch(entry.version)
    else:
        place = artifact_place(url, entry)
        folder = fetch_artifact(place, entry.sha256, project.state / "artifacts")
        artifact = Artifact.open(folder, skip=(TRAINING,))
    if artifact.sha256 != entry.sha256:
        raise ServingError(f"{url} names version {entry.version} with another content than {artifact.folder} has")
    return artifact


def channel_entry(project: Project, number: str, artifact: Artifact) -> ChannelEntry:
    """What the channel says of a version; where its Bento lies on another host, with the signature that was kept."""
    signature = signature_of(project, number)
    if signature is None and (url := channel_url(project)):
        signature = kept_signature(url, number, artifact.sha256)
    return ChannelEntry(
        version=number,
        artifact=str(artifact.folder.resolve()),
        sha256=artifact.sha256,
        signature=signature,
    )


def _announce(project: Project, plugins: PluginManager, registry: Registry, move: Move) -> Move:
    publish(project, registry)
    event = PromotionEvent(project.name, move.version, move.previous, move.who, move.why)
    plugins.notify("tuneloop_promoted", event)
    return move
