"""`requires_plugins`: each unmet requirement with the line that meets it, also where a name is unknown."""

from __future__ import annotations

import types
from pathlib import Path
from typing import Any

import pytest

from tuneloop.api import ConfigError, hookimpl
from tuneloop.config import Project, parse_project
from tuneloop.plugins import PluginManager


def observer(**more: Any) -> types.ModuleType:
    module = types.ModuleType("watching_plugin")
    module.TUNELOOP_API = ">=1,<2"  # type: ignore[attr-defined]
    module.tuneloop_promoted = hookimpl(lambda event: None)  # type: ignore[attr-defined]
    vars(module).update(more)
    return module


@pytest.fixture(scope="module")
def stocked(plugins_module: types.ModuleType) -> PluginManager:
    manager = PluginManager()
    manager.add(plugins_module, name="config-test")
    manager.add(observer(), name="slack", distribution="Tuneloop_Slack", version="0.2.0rc1")
    manager.add(observer(TUNELOOP_API=">=9"), name="late", distribution="tuneloop-late", version="9.0")
    return manager


@pytest.fixture
def read(stocked: PluginManager, desk: str) -> Any:
    def run(requires: str, text: str = desk) -> Project:
        return parse_project(f"requires_plugins: {requires}\n{text}".encode(), Path("tuneloop.yaml"), stocked)

    return run


def test_met(read: Any) -> None:
    listed = "[tuneloop-slack>=0.1, 'other; python_version < \"3\"']"
    assert read(listed).requires_plugins == ("tuneloop-slack>=0.1", 'other; python_version < "3"')
    assert read("[]").requires_plugins == ()


@pytest.mark.parametrize(
    ("requires", "said"),
    [
        ("tuneloop-sklearn>=0.1", "tuneloop-sklearn is not installed: pip install 'tuneloop-sklearn>=0.1'"),
        ("'tuneloop-sklearn[all]~=1.0'", "pip install 'tuneloop-sklearn[all]~=1.0'"),
        ("tuneloop-slack>=0.3", "Tuneloop_Slack 0.2.0rc1 is installed: pip install 'tuneloop-slack>=0.3'"),
        (
            "pluggy",
            "is installed, but it brings no plugin. Installed distributions that do, beside Tuneloop: in-process",
        ),
        (
            "tuneloop-late",
            "'late' of tuneloop-late 9.0 is installed, but incompatible: it was written for plugin API >=9",
        ),
        (
            "tuneloop slack",
            "value 'tuneloop slack': expected a distribution and its versions, such as tuneloop-slack>=",
        ),
        ("3", "value 3: expected a text"),
        ("''", "value '': expected a text that is not empty"),
    ],
)
def test_unmet(read: Any, requires: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(f"[{requires}]")
    (problem,) = caught.value.problems
    assert problem.startswith("tuneloop.yaml:1: requires_plugins[0]: ")
    assert said in problem


def test_all_of_them_at_once_and_beside_the_names_they_bring(read: Any, desk: str) -> None:
    text = desk.replace("base: transformers", "base: sklearn").replace("strategy: gradual-unfreezing", "strategy: fitt")
    with pytest.raises(ConfigError) as caught:
        read("[tuneloop-sklearn>=0.1, tuneloop-slack>9, tuneloop-sklearn]", text)
    problems = "\n".join(caught.value.problems)
    lines = "pip install 'tuneloop-sklearn>=0.1'; pip install 'tuneloop-slack>9'"
    hint = f"It may be in what requires_plugins asks for: {lines}"
    assert f"model.base: there is no base model named 'sklearn'. Known: forest, mlp, transformers. {hint}" in problems
    assert "tune.strategy: there is no strategy named 'fitt'. Did you mean 'fit'?" in problems
    assert problems.count(hint) == 2
    assert "requires_plugins[2]: tuneloop-sklearn stands here twice: join the two" in problems
    assert problems.count("Not loaded: 'late' of tuneloop-late (incompatible)") == 1
