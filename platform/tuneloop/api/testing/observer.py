"""The contract of observers: modules whose functions are told what happened."""

from __future__ import annotations

import inspect
from types import ModuleType
from typing import Any, ClassVar

import pytest

from tuneloop.api import hookspecs
from tuneloop.api.testing.plugin import imports
from tuneloop.api.types import AlertEvent, GateEvent, PromotionEvent, StepEvent

EVENTS: dict[str, Any] = {
    "tuneloop_step_finished": StepEvent("shop", "run-1", "tune", 12.5, False, {"epochs": 3, "best": {"loss": 0.25}}),
    "tuneloop_gate_decided": GateEvent("shop", "run-1", False, ("accuracy 0.81 is below 0.85",)),
    "tuneloop_promoted": PromotionEvent("shop", "4", None, "loop", "drift of column:size"),
    "tuneloop_drift_alert": AlertEvent("shop", "SignalDrift", "f00d", "2026-01-02T03:04:05Z", "accepted"),
}
"""One event a hook."""


class ObserverContract:
    """Set `plugin` to the module with the hook functions.

    Attributes:
        plugin: The module.
        events: The events it is told, by hook.
    """

    plugin: ClassVar[ModuleType]
    events: ClassVar[dict[str, Any]] = EVENTS

    def test_api_range(self) -> None:
        """It says for which plugin API it was written."""
        stated = getattr(self.plugin, "TUNELOOP_API", None)
        assert isinstance(stated, str), 'the module does not say TUNELOOP_API = ">=1,<2"'

    def test_hooks(self) -> None:
        """It observes something, each hook function has the right name, and takes `event` or nothing."""
        assert self._observers(), f"no function marked with @hookimpl is one of: {', '.join(EVENTS)}"
        for name, function in self._marked().items():
            assert hasattr(hookspecs, name), f"there is no hook {name!r}; known: {', '.join(EVENTS)}"
            given = set(inspect.signature(getattr(hookspecs, name)).parameters)
            excess = sorted(set(inspect.signature(function).parameters) - given)
            assert not excess, f"{name} takes {', '.join(excess)}, but this hook gives: {', '.join(given) or 'nothing'}"

    def test_events_are_taken(self) -> None:
        """Each function takes its event, again and again, raises nothing and gives nothing."""
        for name, function in self._observers().items():
            arguments = [self.events[name]] if inspect.signature(function).parameters else []
            for _ in range(2):
                try:
                    answer = function(*arguments)
                except Exception as error:
                    raise AssertionError(
                        f"{name} raised {type(error).__name__}: {error}. The run would go on, but nobody would be told"
                    ) from error
                assert answer is None, f"{name} gave {answer!r}; an observer's answer is not read"

    def test_importing_it_is_light(self) -> None:
        """The module imports heavy libraries inside functions only."""
        heavy = imports(self.plugin.__name__)
        assert not heavy, f"importing {self.plugin.__name__} imports {heavy}: move that into the function that needs it"

    @pytest.fixture(autouse=True)
    def _own_folder(self, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        """Whatever is written by a relative path goes into a temporary folder."""
        monkeypatch.chdir(tmp_path)

    def _marked(self) -> dict[str, Any]:
        functions = {name: getattr(self.plugin, name) for name in dir(self.plugin)}
        marks = {name: getattr(value, "tuneloop_impl", None) for name, value in functions.items()}
        return {(m.get("specname") or name): functions[name] for name, m in marks.items() if isinstance(m, dict)}

    def _observers(self) -> dict[str, Any]:
        return {name: function for name, function in self._marked().items() if name in EVENTS}
