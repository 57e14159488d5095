"""`data.columns`: roles of the task to names of columns."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tuneloop.api import Columns, Task
from tuneloop.config.problems import KeyPath, quoted
from tuneloop.plugins import nearest

ANSWER_KEYS = ("label", "target")
"""Two names for the column with the reference answer."""

COMPLETION = "completion"
"""The role of that column among the inputs, where the model reads right answers token by token to learn them."""

Complain = Callable[[KeyPath, str], None]


def read_columns(raw: Mapping[str, Any], task: type[Task], key: str | None, complain: Complain) -> Columns:
    """The roles of the columns; what is wrong goes to `complain` with its path below `data.columns`."""
    if task.judged_as == "generation" and task.roles and not any(name in raw for name in ANSWER_KEYS):
        # The texts themselves are learned: they are prompt and answer in one.
        inputs = _read_roles(raw, task.roles, complain)
        return Columns(inputs=inputs, target=next(iter(inputs.values()), None), key=key)
    target = _read_target(raw, complain)
    inputs = _read_roles(raw, task.roles, complain) if task.roles else _read_table(raw, complain)
    for column in inputs.values():
        if target is not None and column == target:
            complain((), f"column {column!r} is both an input and the answer: the model would read what it must find")
    if task.loss == "likelihood" and target is not None:
        inputs = {**inputs, COMPLETION: target}
    return Columns(inputs=inputs, target=target, key=key)


def _read_target(raw: Mapping[str, Any], complain: Complain) -> str | None:
    named = [name for name in ANSWER_KEYS if name in raw]
    if not named:
        complain((), "this needs `label` (or `target`): the column with the reference answer")
        return None
    if len(named) > 1:
        complain((named[1],), "`label` and `target` mean the same: keep one of them")
    return _text(raw[named[0]], (named[0],), complain)


def _read_roles(raw: Mapping[str, Any], roles: Mapping[str, str], complain: Complain) -> dict[str, str]:
    inputs: dict[str, str] = {}
    known = (*roles, *ANSWER_KEYS)
    for name, value in raw.items():
        if name in roles:
            inputs[name] = _text(value, (name,), complain) or ""
        elif name not in ANSWER_KEYS:
            complain((name,), f"unknown role.{nearest(name, known)} Known here: {', '.join(known)}")
    for role, meaning in roles.items():
        if role not in raw:
            complain((), f"this needs `{role}`: {meaning.rstrip('.')}")
    return inputs


def _read_table(raw: Mapping[str, Any], complain: Complain) -> dict[str, str]:
    known = ("inputs", *ANSWER_KEYS)
    for role in raw:
        if role not in known:
            complain((role,), f"unknown role.{nearest(role, known)} Known here: {', '.join(known)}")
    if "inputs" not in raw:
        return {}
    listed = raw["inputs"]
    if not isinstance(listed, list) or not listed:
        complain(
            ("inputs",), f"value {quoted(listed)}: expected a list of columns; leave it out to use every other one"
        )
        return {}
    names = [_text(value, ("inputs", index), complain) for index, value in enumerate(listed)]
    for index, column in enumerate(names):
        if column is not None and column in names[:index]:
            complain(("inputs", index), f"column {column!r} stands here twice")
    return {column: column for column in names if column is not None}


def _text(value: Any, place: KeyPath, complain: Complain) -> str | None:
    if isinstance(value, str) and value:
        return value
    complain(place, f"value {quoted(value)}: expected the name of a column (in quotes, if it looks like a number)")
    return None
