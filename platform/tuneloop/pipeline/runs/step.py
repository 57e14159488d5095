"""What a step is: its name, what its result depends on, and the function that does it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuneloop.pipeline.runs.progress import Listener, ignore
from tuneloop.pipeline.runs.records import RunRequest

if TYPE_CHECKING:
    from tuneloop.config import Project
    from tuneloop.plugins import Kind, PluginManager


@dataclass(frozen=True, slots=True)
class Scope:
    """What all steps of one run share.

    Attributes:
        project: The configuration as it was when the run began.
        plugins: Where names of the project are looked up.
        request: What was asked for, and the champion at that time.
        listen: Told about progress.
        changes: Values that stand in place of those of the project file, by path: what was chosen or found.
    """

    project: Project
    plugins: PluginManager
    request: RunRequest
    listen: Listener = ignore
    changes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StepResult:
    """A finished step: `output` is what its function gave, `folder` holds the files it wrote."""

    step: str
    fingerprint: str
    folder: Path
    output: dict[str, Any]
    seconds: float
    reused: bool

    @property
    def summary(self) -> dict[str, Any]:
        """The few figures that people are shown."""
        found: dict[str, Any] = self.output.get("summary", {})
        return found

    @property
    def table(self) -> str:
        """Lines in columns that people are shown as well; empty where it made none."""
        found: str = self.output.get("table", "")
        return found


@dataclass(frozen=True, slots=True)
class StepContext:
    """What a step's function is given.

    Attributes:
        scope: What all steps share.
        folder: Where it writes. What is found there was left by a killed attempt with equal inputs.
        done: The results of earlier steps, by name.
    """

    scope: Scope
    folder: Path
    done: Mapping[str, StepResult]

    @property
    def project(self) -> Project:
        """The project."""
        return self.scope.project

    @property
    def plugins(self) -> PluginManager:
        """The plugins."""
        return self.scope.plugins

    def file(self, step: str, name: str) -> Path:
        """The path of a file or folder that an earlier step wrote."""
        return self.done[step].folder / name


@dataclass(frozen=True, slots=True)
class Step:
    """A step of the pipeline.

    Attributes:
        name: Its name.
        version: Counts up when the code gives another result for equal inputs.
        after: The steps whose results it reads.
        inputs: What of the project and the request its result depends on, as JSON values.
        run: Does it: writes into `context.folder`, gives JSON values; people are shown `summary` and `table`.
        cached: Whether an earlier result for equal inputs is taken.
        told: What it reads of earlier results that does not count for theirs; none: nothing.
        shared: Files and folders it writes that the project's storage keeps, so that no other machine does it again.
    """

    name: str
    version: int
    after: tuple[str, ...]
    inputs: Callable[[Scope], dict[str, Any]]
    run: Callable[[StepContext], dict[str, Any]]
    cached: bool = True
    shared: tuple[str, ...] = ()
    told: Callable[[Mapping[str, StepResult]], Any] | None = None


def used(scope: Scope, kind: Kind, name: str) -> list[str]:
    """A plugin by kind and name, with the distribution and version it comes from: part of a step's inputs."""
    record = scope.plugins.provider(kind, name)
    return [kind, name, record.distribution, record.version]


def options(value: Any) -> Any:
    """The options of a plugin as JSON values: part of a step's inputs."""
    return value.model_dump(mode="json")
