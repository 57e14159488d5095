"""What a run works with, with other values in its project file; and which steps these values touch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, TypeAlias

from tuneloop.config import PROJECT_FILE, parse_project
from tuneloop.pipeline.runs.records import PROJECT, run_folder
from tuneloop.pipeline.runs.step import Scope, Step, StepResult

Do: TypeAlias = Callable[[Step, Scope, Mapping[str, StepResult]], StepResult]
"""Does a step, or takes its earlier result."""


def variant(scope: Scope, changes: Mapping[str, Any]) -> Scope:
    """The scope with these values in its project file, beside those that stand there in place of others already.

    Raises:
        ConfigError: The file would be wrong with them.
    """
    project = scope.project
    merged = {**scope.changes, **changes}
    content = (run_folder(project.state, scope.request.run) / PROJECT).read_bytes()
    return replace(
        scope,
        project=parse_project(content, project.root / PROJECT_FILE, scope.plugins, merged),
        changes=merged,
    )


def redo(
    steps: Iterable[Step], before: Scope, after: Scope, done: Mapping[str, StepResult], do: Do
) -> dict[str, StepResult]:
    """The results that hold for another scope: steps whose inputs changed are done again, and those that read them.

    Args:
        steps: In order; those that have no result yet are done.
        before: What the results hold for.
        after: What they are to hold for.
        done: The results; they stay as they are.
        do: Does a step.
    """
    found = dict(done)
    stale: set[str] = set()
    for step in steps:
        touched = step.name not in done or bool(stale.intersection(step.after))
        if touched or step.inputs(before) != step.inputs(after):
            stale.add(step.name)
            found[step.name] = do(step, after, found)
    return found
