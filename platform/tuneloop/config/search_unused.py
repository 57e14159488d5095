"""Whether what a search tries is read at all: trials of an option that changes nothing are paid for nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tuneloop.config.changes import read_path
from tuneloop.config.problems import Problem
from tuneloop.config.resolve import Resolver
from tuneloop.plugins import PluginManager


def unused_problems(tried: Resolver, changes: Mapping[str, Any], plugins: PluginManager) -> list[Problem]:
    """A problem for each change of an option of `tune` that its strategy does not use.

    Args:
        tried: The sound file with the changes in it.
        changes: Paths such as `tune.learning_rate` to values.
        plugins: Where the strategy is found.
    """
    name, options = tried.options("tune")
    strategy = plugins.get("strategy", name)(options)
    paths = [path for path in map(read_path, changes) if path is not None]
    return [
        Problem(1, ("tune", option), f"strategy {name!r} does not use tune.{option}: {why}")
        for option, why in strategy.unused().items()
        if any(path[:2] == ("tune", option) for path in paths)
    ]
