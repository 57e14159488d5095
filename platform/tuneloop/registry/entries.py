"""What the registry keeps: versions, who moved them, and what a run registers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from tuneloop.artifact import Artifact


class Named(Protocol):
    """What the registry needs of a project: the model's name, and the folder of its state."""

    @property
    def name(self) -> str:
        """The model's name."""

    @property
    def state(self) -> Path:
        """The folder of everything Tuneloop writes for the project."""


@dataclass(frozen=True, slots=True)
class Version:
    """One registered version.

    Attributes:
        number: Its number, from 1.
        sha256: Of its artifact.
        run: The pipeline run that made it.
        gate: `passed` or `refused`.
        aliases: Such as `champion`.
        created: When, ISO 8601 in UTC.
        metrics: Of the served variant on the test split.
    """

    number: str
    sha256: str
    run: str
    gate: str
    aliases: tuple[str, ...]
    created: str
    metrics: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Move:
    """What was done: `promote`, `rollback`, or a challenger's `shadow`, `canary` or `stop`; who did it, when and why.

    `previous` is the champion before, or the one that is challenged.
    """

    kind: str
    version: str
    previous: str | None
    who: str
    when: str
    why: str


@dataclass(frozen=True, slots=True)
class Entry:
    """What a pipeline run registers.

    Attributes:
        run: The run's id.
        artifact: The sealed artifact.
        passed: Whether the gate accepted it.
        params: Shown as parameters of the MLflow run.
        metrics: Final numbers.
        history: One record an epoch; each has `epoch`.
        report: The HTML report.
        files: More files and folders that are kept with it.
        against: SHA-256 of the champion it was judged against, and the number of that attempt; None: of none.
    """

    run: str
    artifact: Artifact
    passed: bool
    params: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    history: tuple[Mapping[str, float], ...] = ()
    report: Path | None = None
    files: tuple[Path, ...] = ()
    against: tuple[str, int] | None = None
