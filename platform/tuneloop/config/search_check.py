"""Whether what a search may try can be right: every value is put into the file and checked as if it stood there."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from tuneloop.config.changes import CANDIDATES, read_path
from tuneloop.config.problems import KeyPath, Problem, dotted, quoted
from tuneloop.config.search import Choice, Search, Span

Try = Callable[[Mapping[str, Any]], list[Problem]]
"""All that is wrong with the file after some changes."""

_SECTIONS = ("tune", "model", "export", "data")
_KEPT = {
    ("export", "tolerance"): "it says what is accepted, not how the model is made",
    ("export", "max_changed"): "it says what is accepted, not how the model is made",
    ("export", "quantize", "max_loss"): "it says what is accepted, not how the model is made",
    ("tune", "written_rows"): "it says what is measured, not how the model is made",
    ("model", CANDIDATES): "candidates are compared before the search",
    ("model", "limits"): "candidates are compared before the search",
}
_NAMING = ("strategy", "base", "format", "name")
_MOST = 200


def naming(path: KeyPath) -> bool:
    """Whether the value at a path names plugins, so that other paths may hold with some of its values alone."""
    return path[-1] in _NAMING or (path[:2] == ("data", "transforms") and len(path) <= 3)


def check_search(search: Search, attempt: Try, complain: Callable[[KeyPath, str], None], *, steady: bool) -> None:
    """Complain about each path and value that cannot be right.

    Args:
        search: What is to be tried.
        attempt: Gives all that is wrong with the file after changes.
        complain: Told where in the file something is wrong, and what.
        steady: Whether rows keep their split when a transform changes them.
    """
    paths: dict[str, KeyPath] = {}
    for text in search.space:
        where: KeyPath = ("search", "space", text)
        path = read_path(text)
        said = _wrong_path(path, steady=steady)
        if said or path is None:
            complain(where, said)
        else:
            paths[text] = path
        span = search.space[text]
        if search.sampler == "grid" and isinstance(span, Span) and span.step is None and not span.whole:
            complain(where, "a grid needs a list of values, or bounds with a step")
    contexts = list(_contexts(search, paths))
    for text, path in paths.items():
        for value in _tried(search.space[text]):
            found = [attempt({**context, text: value}) for context in contexts]
            if all(found):
                complain(("search", "space", text), f"with {quoted(value)} there: {_words(min(found, key=len), path)}")
                break


def _words(found: list[Problem], path: KeyPath) -> str:
    """What is wrong with a value, in its own words; else the first thing that it makes wrong elsewhere."""
    problem = next((one for one in found if one.path == path), found[0])
    where = "" if problem.path in (path, ()) else f"{dotted(problem.path)}: "
    return f"{where}{problem.text}"


def _wrong_path(path: KeyPath | None, *, steady: bool) -> str:
    if path is None or len(path) < 2 or path[0] not in _SECTIONS or (path[0] == "data" and path[1] != "transforms"):
        return (
            "expected the path of an option, such as tune.learning_rate, model.checkpoint, data.transforms[0].name or "
            "export.format: what is measured, and on which rows, stays the same"
        )
    kept = next((why for start, why in _KEPT.items() if path[: len(start)] == start), None)
    if kept:
        return f"this cannot be searched over: {kept}"
    if path[0] == "data" and not steady:
        return (
            "a transform may change the content that decides in which split a row lies, so that trials would be judged "
            "on different rows: name a column in data.split.key, group or time"
        )
    return ""


def _contexts(search: Search, paths: Mapping[str, KeyPath]) -> Iterator[dict[str, Any]]:
    """What the file may say of plugins: their options hold with some of these, not with all."""
    named = [text for text, path in paths.items() if naming(path)]
    yield {}
    values = [_tried(search.space[text]) for text in named]
    yield from (
        dict(zip(named, combination, strict=True))
        for combination in itertools.islice(itertools.product(*values), _MOST)
        if named
    )


def _tried(given: Choice | Span) -> tuple[Any, ...]:
    """Every value of a choice; of a span the bounds, and one between them."""
    if isinstance(given, Choice):
        return given.values
    between = given.low + (given.step if given.step is not None else (given.high - given.low) / 2)
    return (given.low, given.high, int(between) if given.whole else float(between))
