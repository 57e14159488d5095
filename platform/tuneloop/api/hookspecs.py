"""Every hook a plugin can implement. Those that return classes are asked once, when plugins are loaded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pluggy

from tuneloop.api.base_model import BaseModel
from tuneloop.api.detector import Detector
from tuneloop.api.exporter import Exporter
from tuneloop.api.launcher import Launcher
from tuneloop.api.metric import Metric
from tuneloop.api.preprocessor import Preprocessor
from tuneloop.api.rows import DataSource, Transform
from tuneloop.api.signal import Signal
from tuneloop.api.strategy import Strategy
from tuneloop.api.task import Task
from tuneloop.api.types import AlertEvent, GateEvent, PromotionEvent, StepEvent

if TYPE_CHECKING:
    import click

hookspec = pluggy.HookspecMarker("tuneloop")
hookimpl = pluggy.HookimplMarker("tuneloop")


@hookspec
def tuneloop_data_sources() -> Sequence[type[DataSource]]:
    """Classes that read rows: `data.source` in the project."""


@hookspec
def tuneloop_transforms() -> Sequence[type[Transform]]:
    """Classes that change rows: `data.transforms` in the project."""


@hookspec
def tuneloop_tasks() -> Sequence[type[Task]]:
    """Classes that define a problem: `task` in the project."""


@hookspec
def tuneloop_preprocessors() -> Sequence[type[Preprocessor]]:
    """Classes that turn rows into model inputs; a base model names the one it needs."""


@hookspec
def tuneloop_base_models() -> Sequence[type[BaseModel]]:
    """Classes that bring a model to tune: `model.base` in the project."""


@hookspec
def tuneloop_strategies() -> Sequence[type[Strategy]]:
    """Classes that tune it: `tune.strategy` in the project."""


@hookspec
def tuneloop_launchers() -> Sequence[type[Launcher]]:
    """Classes that choose where training runs: `launch.launcher` in the project."""


@hookspec
def tuneloop_exporters() -> Sequence[type[Exporter]]:
    """Classes that turn the tuned model into an artifact: `export.format` in the project."""


@hookspec
def tuneloop_metrics() -> Sequence[type[Metric]]:
    """Classes that score predictions: `evaluate.metrics` in the project."""


@hookspec
def tuneloop_signals() -> Sequence[type[Signal]]:
    """Classes that read what is watched for drift."""


@hookspec
def tuneloop_detectors() -> Sequence[type[Detector]]:
    """Classes that notice when answers got worse: `monitor.detectors` in the project."""


@hookspec
def tuneloop_cli(group: click.Group) -> None:
    """Add commands to the `tuneloop` command line."""


@hookspec
def tuneloop_step_finished(event: StepEvent) -> None:
    """A pipeline step ended; an error raised here is logged and breaks nothing."""


@hookspec
def tuneloop_gate_decided(event: GateEvent) -> None:
    """The gate accepted or refused a challenger; an error raised here is logged and breaks nothing."""


@hookspec
def tuneloop_promoted(event: PromotionEvent) -> None:
    """A version became champion; an error raised here is logged and breaks nothing."""


@hookspec
def tuneloop_drift_alert(event: AlertEvent) -> None:
    """An alert reached the loop; an error raised here is logged and breaks nothing."""
