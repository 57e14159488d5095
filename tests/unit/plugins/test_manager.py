"""Resolving names, creating instances, telling observers."""

from __future__ import annotations

import logging
import types
from typing import Any, cast

import pydantic
import pytest

from tuneloop.api import (
    Metric,
    PluginError,
    PromotionEvent,
    UnknownPluginError,
    hookimpl,
)
from tuneloop.plugins import PluginManager
from tuneloop.plugins.kinds import KINDS, hook_arguments

EVENT = PromotionEvent(model="desk", version="2", previous="1", who="me", why="better")


class Scaled(Metric):
    name, maximize, kinds = "scaled", True, frozenset({"classification"})

    class Options(pydantic.BaseModel):
        factor: float = pydantic.Field(gt=0, description="What to multiply by.")

    def __init__(self, options: Any = None) -> None:
        super().__init__(options)
        if self.options.factor == 13:
            raise RuntimeError("unlucky")

    def compute(self, predictions: Any, references: Any) -> float:
        return float(self.options.factor)


def module(**functions: Any) -> types.ModuleType:
    made = types.ModuleType("made_plugin")
    made.TUNELOOP_API = ">=1,<2"  # type: ignore[attr-defined]
    for name, function in functions.items():
        setattr(made, name, hookimpl(function))
    return made


@pytest.fixture
def plugins() -> PluginManager:
    manager = PluginManager()
    assert (
        manager.add(module(tuneloop_metrics=lambda: [Scaled]), name="scaled", distribution="scaled-dist").status
        == "loaded"
    )
    return manager


def test_every_class_hook_has_a_kind() -> None:
    of_kinds = {info.hook for info in KINDS}
    others = {
        "tuneloop_cli",
        "tuneloop_step_finished",
        "tuneloop_gate_decided",
        "tuneloop_promoted",
        "tuneloop_drift_alert",
    }
    assert of_kinds | others == set(hook_arguments())


def test_names_and_providers(plugins: PluginManager) -> None:
    assert plugins.get("metric", "scaled") is Scaled
    assert plugins.classes("metric") == (Scaled,)
    assert plugins.provider("metric", "scaled").label == "plugin 'scaled' of scaled-dist 0"
    with pytest.raises(UnknownPluginError, match=r"no metric named 'scald'. Did you mean 'scaled'\? Known: scaled"):
        plugins.get("metric", "scald")
    with pytest.raises(UnknownPluginError, match=r"no task named 'scaled'. Known: none"):
        plugins.get("task", "scaled")
    with pytest.raises(ValueError, match="no plugin kind 'metrics'"):
        plugins.get(cast("Any", "metrics"), "scaled")


def test_options_are_validated(plugins: PluginManager) -> None:
    assert plugins.create("metric", "scaled", {"factor": 2}).options.factor == 2
    assert plugins.create("metric", "scaled", Scaled.Options(factor=3)).options.factor == 3
    for options in (None, {}, {"factor": -1}):
        with pytest.raises(PluginError, match="options of metric 'scaled' are not valid: factor"):
            plugins.create("metric", "scaled", options)
    with pytest.raises(PluginError, match=r"'scaled' of scaled-dist 0\) cannot be created: RuntimeError: unlucky"):
        plugins.create("metric", "scaled", {"factor": 13})


def test_observers_never_break_a_run(caplog: pytest.LogCaptureFixture) -> None:
    seen: list[object] = []

    def fails(event: object) -> None:
        raise ConnectionError("no route")

    manager = PluginManager()
    manager.add(module(tuneloop_promoted=lambda event: seen.append(event)), name="first")
    manager.add(module(tuneloop_promoted=fails), name="failing", distribution="slack-dist", version="1.1")
    manager.add(module(tuneloop_promoted=lambda: seen.append("no argument")), name="last")
    with caplog.at_level(logging.ERROR, logger="tuneloop.plugins"):
        manager.notify("tuneloop_promoted", EVENT)
    assert seen == ["no argument", EVENT]
    assert "plugin 'failing' of slack-dist 1.1: tuneloop_promoted raised ConnectionError: no route" in caplog.text
    assert [record.name for record in manager.call_order("tuneloop_promoted")] == ["last", "failing", "first"]
    with pytest.raises(ValueError, match="no hook 'tuneloop_promotd'"):
        manager.notify("tuneloop_promotd", EVENT)


def test_the_trace(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("TUNELOOP_TRACE_PLUGINS", "1")
    logger = logging.getLogger("tuneloop.plugins.trace")
    monkeypatch.setattr(logger, "handlers", [])
    monkeypatch.setattr(logger, "propagate", True)
    manager = PluginManager()
    manager.add(module(tuneloop_metrics=lambda: [Scaled], tuneloop_promoted=lambda event: 1 / 0), name="traced")
    manager.notify("tuneloop_promoted", EVENT)
    lines = [line for line in capfd.readouterr().err.splitlines() if line.startswith("plugin call:")]
    assert len(lines) == 2
    assert "tuneloop_metrics  plugin 'traced' of in-process 0" in lines[0]
    assert lines[0].endswith("ok")
    assert lines[1].endswith("raised ZeroDivisionError: division by zero")


def test_the_same_plugin_twice(plugins: PluginManager) -> None:
    again = plugins.add(module(tuneloop_metrics=lambda: [Scaled]), name="again", distribution="again-dist")
    assert again.status == "conflict"
    assert [record.status for record in plugins.records] == ["conflict", "conflict"]
    assert "scaled-dist 0" in again.reason
    assert plugins.names("metric") == ()
