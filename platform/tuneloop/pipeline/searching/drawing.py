"""Draw the options of a trial: by Optuna's samplers, or every combination in order."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from tuneloop.config.changes import read_path
from tuneloop.config.search import Choice, Search, Span
from tuneloop.config.search_check import naming
from tuneloop.pipeline.searching.storage import import_optuna

Values = dict[str, Any]
"""Path of an option to what it is in a trial, as it would stand in the file."""

Applies = Callable[[Values, str, Any], bool]
"""Whether an option exists at a path, where the file names the plugins that the values name; it tries a value."""


def sampler(search: Search, count: int) -> Any:
    """The sampler of one draw; draws of equal searches after equally many trials are equal, also after a restart.

    Args:
        search: Which, and its seed.
        count: Number of trials drawn before.
    """
    samplers = import_optuna().samplers
    seed = (search.seed * 1_000_003 + count) % 2**32
    if search.sampler == "tpe":
        return samplers.TPESampler(seed=seed, constant_liar=search.parallel > 1)
    return samplers.RandomSampler(seed=seed)


def ordered(search: Search) -> list[str]:
    """The paths, those that name plugins first: they decide which options there are."""
    return sorted(search.space, key=lambda text: not naming(read_path(text) or ("",)))


def draw(trial: Any, search: Search, applies: Applies) -> Values:
    """Draw a value for each path that applies.

    Args:
        trial: Optuna's, just asked for.
        search: The space.
        applies: Asked for each path that names no plugin.
    """
    values: Values = {}
    for text in ordered(search):
        given = search.space[text]
        first = given.values[0] if isinstance(given, Choice) else given.low
        if naming(read_path(text) or ("",)) or applies(values, text, first):
            values[text] = _draw_one(trial, text, given)
    return values


def parameters(search: Search, values: Mapping[str, Any]) -> Values:
    """Values as Optuna knows them, such as those a trial is to begin with."""
    return {text: label(value) if isinstance(search.space[text], Choice) else value for text, value in values.items()}


def values_of(search: Search, found: Mapping[str, Any]) -> Values:
    """The inverse of `parameters`; options that the space does not have are left out."""
    values: Values = {}
    for text, value in found.items():
        given = search.space.get(text)
        if isinstance(given, Choice):
            values[text] = next((one for one in given.values if label(one) == value), value)
        elif given is not None:
            values[text] = value
    return values


def grid(search: Search) -> Iterator[Values]:
    """Every combination, in order; the last path changes first."""
    paths = ordered(search)
    for combination in itertools.product(*(_steps(search.space[text]) for text in paths)):
        yield dict(zip(paths, combination, strict=True))


def within(given: Choice | Span, value: Any) -> bool:
    """Whether a value is one of those that may be drawn."""
    if isinstance(given, Choice):
        return value in given.values
    if isinstance(value, bool) or not isinstance(value, int | float) or not given.low <= value <= given.high:
        return False
    if given.whole and value != int(value):
        return False
    return given.step is None or value in _steps(given)


def label(value: Any) -> Any:
    """A choice as Optuna's storage takes it: a list or a mapping as JSON."""
    return json.dumps(value, sort_keys=True) if isinstance(value, list | dict) else value


def _draw_one(trial: Any, text: str, given: Choice | Span) -> Any:
    if isinstance(given, Choice):
        labels = [label(value) for value in given.values]
        return given.values[labels.index(trial.suggest_categorical(text, labels))]
    if given.whole:
        step = 1 if given.step is None else int(given.step)
        return trial.suggest_int(text, int(given.low), int(given.high), step=step, log=given.log)
    return trial.suggest_float(text, given.low, given.high, step=given.step, log=given.log)


def _steps(given: Choice | Span) -> tuple[Any, ...]:
    if isinstance(given, Choice):
        return given.values
    step = 1 if given.step is None else given.step
    count = int((given.high - given.low) / step + 1e-9) + 1
    return tuple(given.low + place * step for place in range(count))
