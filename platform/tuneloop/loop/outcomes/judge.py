"""How wrong an answer was, on a scale from 0 to 1, by the task of the version that gave it."""

from __future__ import annotations

import logging
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuneloop.api import Answer, RequestError, ServingError, Task
from tuneloop.artifact import TRAINING, Artifact
from tuneloop.monitoring.reference import REFERENCE_FILE, Reference
from tuneloop.pipeline import channel_path
from tuneloop.registry import Registry
from tuneloop.serving.versions.channel import artifact_place, read_channel
from tuneloop.storage import is_url

if TYPE_CHECKING:
    from tuneloop.config import Project
    from tuneloop.plugins import PluginManager

logger = logging.getLogger(__name__)

SCALE = 2.0
"""A value's error counts as wholly wrong from so many times the 0.9 quantile of the errors on the holdout."""


class Judge:
    """Judges answers of any version of a project.

    Args:
        project: Whose channel and registry hold the versions.
        plugins: Bring the task.
    """

    def __init__(self, project: Project, plugins: PluginManager) -> None:
        self._project, self._plugins = project, plugins
        self._known: dict[str, tuple[Task, float] | None] = {}

    def __call__(self, version: str, answer: Answer, label: Any) -> float | None:
        """The error, 0 to 1; None where the label does not fit, or nobody knows the version any more.

        Raises:
            TuneloopError: The version's artifact cannot be had now.
        """
        if version not in self._known:
            self._known[version] = self._find(version)
        found = self._known[version]
        if found is None:
            return None
        task, tolerance = found
        try:
            return scaled(task.error(answer, label), tolerance)
        except RequestError:
            # The server counts it as `invalid`.
            return None
        except Exception:
            # A stranger's task may trip over what another version answered: no reason to read no more labels.
            logger.exception("an answer of version %s cannot be judged", version)
            return None

    def _find(self, version: str) -> tuple[Task, float] | None:
        artifact = self._served(version) or self._registered(version)
        if artifact is None:
            logger.warning("labels of version %s are not judged: the registry has no such version", version)
            return None
        part = artifact.manifest.task
        task = self._plugins.get("task", part.name).from_state(part.state)
        return task, Reference.load(artifact.folder / REFERENCE_FILE).tolerance

    def _served(self, version: str) -> Artifact | None:
        """What the channel names, where it lies on this machine: so the registry's libraries are not needed."""
        url = str(channel_path(self._project))
        try:
            channel = read_channel(url)
        except ServingError:
            return None
        for entry in filter(None, (channel.champion, channel.challenger)):
            place = artifact_place(url, entry)
            if entry.version == version and not is_url(place) and Path(place).is_dir():
                return Artifact.open(Path(place), skip=(TRAINING,))
        return None

    def _registered(self, version: str) -> Artifact | None:
        registry = Registry(self._project)
        return None if registry.find(version) is None else registry.fetch(version)


def scaled(error: float, tolerance: float) -> float:
    """An error of `Task.error` on a scale from 0 to 1.

    Args:
        error: 0 or 1 for labels, a share, or a difference in the target's own unit.
        tolerance: `Reference.tolerance`: 0 for labels; for values the 0.9 quantile of the holdout's absolute errors.
    """
    size = abs(error)
    if not math.isfinite(size):
        return 1.0
    return min(1.0, size if tolerance <= 0 else size / (SCALE * tolerance))
