"""The kinds of plugin classes: the hook that returns each, its base class, and where a project names it."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Literal

from tuneloop.api import (
    BaseModel,
    DataSource,
    Detector,
    Exporter,
    Launcher,
    Metric,
    Plugin,
    Preprocessor,
    Signal,
    Strategy,
    Task,
    Transform,
    hookspecs,
)

Kind = Literal[
    "data source",
    "transform",
    "task",
    "preprocessor",
    "base model",
    "strategy",
    "launcher",
    "exporter",
    "metric",
    "signal",
    "detector",
]


@dataclass(frozen=True, slots=True)
class KindInfo:
    """One kind of plugin class.

    Attributes:
        kind: Its name in messages and in `PluginManager.get`.
        hook: The hook that returns its classes.
        base: The abstract class that each must derive from.
        where: The project key that names one; empty where a project names none.
        reserved: Keys of that project section that belong to the core, so that no option may have them.
    """

    kind: Kind
    hook: str
    base: type[Plugin]
    where: str = ""
    reserved: frozenset[str] = frozenset()


KINDS: tuple[KindInfo, ...] = (
    KindInfo(
        "data source",
        "tuneloop_data_sources",
        DataSource,
        "data.source",
        frozenset({"source", "columns", "transforms", "split"}),
    ),
    KindInfo("transform", "tuneloop_transforms", Transform, "data.transforms", frozenset({"name"})),
    KindInfo("task", "tuneloop_tasks", Task, "task"),
    KindInfo("preprocessor", "tuneloop_preprocessors", Preprocessor),
    KindInfo(
        "base model", "tuneloop_base_models", BaseModel, "model.base", frozenset({"base", "candidates", "limits"})
    ),
    KindInfo("strategy", "tuneloop_strategies", Strategy, "tune.strategy", frozenset({"strategy", "seed"})),
    KindInfo("launcher", "tuneloop_launchers", Launcher, "launch.launcher", frozenset({"launcher"})),
    KindInfo(
        "exporter",
        "tuneloop_exporters",
        Exporter,
        "export.format",
        frozenset({"format", "quantize", "tolerance", "max_changed"}),
    ),
    KindInfo("metric", "tuneloop_metrics", Metric, "evaluate.metrics"),
    KindInfo("signal", "tuneloop_signals", Signal),
    KindInfo("detector", "tuneloop_detectors", Detector, "monitor.detectors", frozenset({"name"})),
)

OBSERVER_HOOKS = ("tuneloop_step_finished", "tuneloop_gate_decided", "tuneloop_promoted", "tuneloop_drift_alert")
"""The hooks that are told what happens in a run."""


def kind_info(kind: str) -> KindInfo:
    """The entry of `KINDS` for a kind.

    Raises:
        ValueError: There is no such kind.
    """
    for info in KINDS:
        if info.kind == kind:
            return info
    raise ValueError(f"there is no plugin kind {kind!r}; known: {', '.join(info.kind for info in KINDS)}")


def hook_arguments() -> dict[str, tuple[str, ...]]:
    """Every hook of the plugin API with the arguments it may take, in the order of the specification."""
    return {
        name: tuple(inspect.signature(value).parameters)
        for name, value in vars(hookspecs).items()
        if name.startswith("tuneloop_") and hasattr(value, "tuneloop_spec")
    }
