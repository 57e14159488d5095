"""Find classes among the installed plugins, by their entry points."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from tuneloop.api.base_model import BaseModel
from tuneloop.api.detector import Detector
from tuneloop.api.exporter import Exporter
from tuneloop.api.launcher import Launcher
from tuneloop.api.metric import Metric
from tuneloop.api.plugin import Plugin
from tuneloop.api.preprocessor import Preprocessor
from tuneloop.api.rows import DataSource, Transform
from tuneloop.api.signal import Signal
from tuneloop.api.strategy import Strategy
from tuneloop.api.task import Task

HOOKS: dict[type[Plugin], str] = {
    DataSource: "tuneloop_data_sources",
    Transform: "tuneloop_transforms",
    Task: "tuneloop_tasks",
    Preprocessor: "tuneloop_preprocessors",
    BaseModel: "tuneloop_base_models",
    Strategy: "tuneloop_strategies",
    Launcher: "tuneloop_launchers",
    Exporter: "tuneloop_exporters",
    Metric: "tuneloop_metrics",
    Signal: "tuneloop_signals",
    Detector: "tuneloop_detectors",
}
"""The hook that returns the classes of each kind."""


def provider(cls: type[Plugin], hook: str) -> EntryPoint | None:
    """The entry point whose hook returns the class; None where no installed distribution has one."""
    top = cls.__module__.partition(".")[0]
    near = [point for point in entry_points(group="tuneloop.plugins") if point.module.partition(".")[0] == top]
    return next((point for point in near if cls in answers(point.load(), hook)), None)


def find(hook: str, name: str) -> Any:
    """The class with this name among the answers of a hook.

    Raises:
        LookupError: No installed plugin brings it.
    """
    known: list[str] = []
    for cls in _all(hook):
        known.append(cls.name)
        if cls.name == name:
            return cls
    raise LookupError(f"no installed plugin brings {name!r} by {hook}; known: {', '.join(sorted(known)) or 'none'}")


def answers(plugin: object, hook: str) -> list[Any]:
    """The classes that a plugin's hook returns; none where it does not implement it."""
    found: list[Any] = []
    for attribute in dir(plugin):
        function = getattr(plugin, attribute, None)
        marks = getattr(function, "tuneloop_impl", None)
        if isinstance(marks, dict) and (marks.get("specname") or attribute) == hook and callable(function):
            found.extend(function())
    return found


def _all(hook: str) -> Iterator[Any]:
    for point in entry_points(group="tuneloop.plugins"):
        try:
            plugin = importlib.import_module(point.module)
        except ImportError:
            continue  # Another plugin, and broken: not what is tested here.
        yield from answers(plugin, hook)
