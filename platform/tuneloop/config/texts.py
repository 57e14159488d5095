"""Texts that are written while a model is trained: for how many rows, and what may go by their metrics."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from tuneloop.api import Strategy, Task
from tuneloop.config.problems import KeyPath
from tuneloop.tasks.written import writes

PERPLEXITY = "perplexity"
"""What is told of the validation rows after each epoch without writing; it picks the best one unless a project says."""
ROWS = 100
"""Rows that are written for where something goes by their metrics, and the project does not say how many."""
_OPTION = "written_rows"


def written_rows(options: object, asked: Iterable[str | None]) -> int:
    """How many validation rows texts are written for after each epoch of a task that writes.

    None are where nothing goes by what is written: perplexity costs nothing more, and a row that is written costs as
    much as training on three (3.7 s for 100 rows of up to 40 tokens, 12 ms for a row of training, a `seq2seq-small` of
    3 layers of 256 on one core of a server).

    Args:
        options: Of the strategy.
        asked: The metrics that training and search go by; None among them are passed over.
    """
    if not hasattr(options, _OPTION):
        return 0
    said: int | None = getattr(options, _OPTION)
    if said is not None:
        return said
    return ROWS if set(asked) - {None, PERPLEXITY} else 0


def check_texts(
    tune: Mapping[str, Any],
    searched: str | None,
    task: type[Task],
    strategy: type[Strategy],
    complain: Callable[[KeyPath, str], None],
) -> None:
    """Complain about metrics of texts where none are written, and about texts where no task writes.

    Args:
        tune: The section.
        searched: The metric that trainings of a search are judged by; None: there is no search, or it exports them.
        task: The project's.
        strategy: The project's.
        complain: Told where in the file something is wrong, and what.
    """
    rows = tune.get(_OPTION)
    if not writes(task):
        if rows:
            complain(("tune", _OPTION), f"value {rows}: task {task.name!r} writes no texts; leave it out")
        return
    if _OPTION not in strategy.Options.model_fields:
        said = f"strategy {strategy.name!r} writes none in training: go by {PERPLEXITY}"
    elif rows == 0:
        said = f"tune.{_OPTION} is 0: raise it, or go by {PERPLEXITY}"
    else:
        return
    stopping = tune.get("early_stopping")
    places: dict[KeyPath, Any] = {
        ("tune", "early_stopping", "metric"): stopping.get("metric") if isinstance(stopping, Mapping) else None,
        ("search", "metric"): searched,
    }
    for path, metric in places.items():
        if metric not in (None, PERPLEXITY):
            complain(path, f"metric {metric!r} reads texts, and {said}")
