"""Try a version beside the champion: in the shadow, or as a canary for a share of the requests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from tuneloop.api import RegistryError
from tuneloop.pipeline.promoting.promotion import channel_entry, current_channel, publish
from tuneloop.registry import Move, Registry
from tuneloop.serving.versions.channel import ChallengerEntry

if TYPE_CHECKING:
    from tuneloop.config import Project


@dataclass(frozen=True, slots=True)
class Trial:
    """How a version is tried: see `ChallengerEntry`."""

    mode: Literal["shadow", "canary"]
    share: float = 1.0
    by: str | None = None


def challenge(project: Project, wanted: str, trial: Trial, *, who: str, why: str, once: bool = False) -> Move:
    """Try a version beside the champion; running servers take it. It replaces a challenger that is tried now.

    Args:
        project: The project.
        wanted: A version number or alias.
        trial: How it is tried.
        who: Who does it.
        why: For what reason; it is recorded.
        once: Asked for the same as the last move on record, and for the same reason, record nothing anew: it is the
            same request, which was cut off before the channel was written.

    Raises:
        RegistryError: There is no such version, it is the champion, or there is no column `trial.by`.
        ServingError: The channel cannot be written.
    """
    registry = Registry(project)
    number, artifact = registry.resolve(wanted).number, registry.fetch(wanted)
    columns = [column.name for column in artifact.manifest.signature.columns]
    if trial.by is not None and trial.by not in columns:
        raise RegistryError(f"requests have no column {trial.by!r} to share them out by; they have: {columns}")
    last = registry.history()[-1:] if once else ()
    same = bool(last) and (last[0].kind, last[0].version, last[0].who, last[0].why) == (trial.mode, number, who, why)
    move = last[0] if same else registry.challenge(trial.mode, number, who, why)
    entry = channel_entry(project, number, artifact).model_dump()
    publish(project, registry, ChallengerEntry(**entry, mode=trial.mode, share=trial.share, by=trial.by))
    return move


def stop_challenge(project: Project, *, who: str, why: str) -> Move:
    """Try no version beside the champion any more.

    Raises:
        RegistryError: None is tried.
        ServingError: The channel cannot be written.
    """
    registry = Registry(project)
    channel = current_channel(project)
    if channel is None or channel.challenger is None:
        raise RegistryError(f"no version of {project.name!r} is tried beside the champion; see `tuneloop models`")
    move = registry.challenge("stop", channel.challenger.version, who, why)
    publish(project, registry, None)
    return move
