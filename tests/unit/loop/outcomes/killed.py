"""A reader in a process of its own, to be killed: `python killed.py URL MODEL`."""

from __future__ import annotations

import sys
import threading
from types import ModuleType, SimpleNamespace
from typing import Any

from tests.unit.loop.outcomes.conftest import Streak, judge

from tuneloop.api import hookimpl
from tuneloop.loop.outcomes import OutcomeReader
from tuneloop.monitoring.store import PredictionStore
from tuneloop.plugins import PluginManager


def main(url: str, model: str) -> None:
    module = ModuleType("killed_test_plugin")
    module.TUNELOOP_API = ">=1,<2"  # type: ignore[attr-defined]
    module.tuneloop_detectors = hookimpl(lambda: [Streak])  # type: ignore[attr-defined]
    plugins = PluginManager()
    plugins.add(module, name="killed-test")
    project: Any = SimpleNamespace(
        name=model, monitor=SimpleNamespace(detectors=(("streak", Streak.Options(length=5)),))
    )
    with OutcomeReader(PredictionStore(url), project, plugins, judge, tick=0.001):
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        threading.Event().wait()


if __name__ == "__main__":
    main(*sys.argv[1:])
