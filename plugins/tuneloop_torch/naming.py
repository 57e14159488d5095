"""Which parameters patterns and counts of layers mean."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from typing import Any

from tuneloop.api import PluginError
from tuneloop_torch.sections import Freeze, Reinitialize

_SHOWN = 8


def matching(patterns: Sequence[str], names: Sequence[str], option: str) -> set[str]:
    """The names that fit any pattern.

    Raises:
        PluginError: A pattern fits none; says of which option it is.
    """
    found: set[str] = set()
    for pattern in patterns:
        fits = {name for name in names if fnmatchcase(name, pattern)}
        if not fits:
            shown = ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
            raise PluginError(f"{option}: the pattern {pattern!r} fits none of: {shown or 'nothing'}")
        found |= fits
    return found


def groups_of(model: Any) -> list[list[str]]:
    """Names of a model's parameters from the head down; the first group is empty where the head is no layer of its own.

    A language model's head was trained with it, is often its embeddings under another name, and counts with those or
    with the top layer.
    """
    groups: list[list[str]] = model.layer_groups()
    return groups if all(name.startswith("head.") for name in groups[0]) else [[], *groups]


def layers_of(groups: Sequence[Sequence[str]]) -> tuple[Sequence[Sequence[str]], Sequence[str]]:
    """The layers between head and embeddings, from the top, and the names of the embeddings.

    Args:
        groups: From the head down; the last is the embeddings where there are more than two.
    """
    return (groups[1:-1], groups[-1]) if len(groups) > 2 else (groups[1:], ())


def frozen_names(groups: Sequence[Sequence[str]], freeze: Freeze | None) -> set[str]:
    """Names of the parameters that are never trained.

    Raises:
        PluginError: A pattern fits nothing, there are not so many layers, or nothing is left to train.
    """
    if freeze is None:
        return set()
    names = _flat(groups)
    frozen = matching(freeze.names, names, "tune.freeze.names")
    if freeze.layers:
        layers, embeddings = layers_of(groups)
        _check_count(freeze.layers, len(layers), "tune.freeze.layers")
        frozen |= {*embeddings, *_flat(layers[len(layers) - freeze.layers :])}
    if frozen >= set(names):
        raise PluginError("tune.freeze leaves no parameter to train")
    return frozen


def fresh_names(groups: Sequence[Sequence[str]], asked: Reinitialize) -> set[str]:
    """Names of the parameters below the head (or named) that are drawn anew.

    Raises:
        PluginError: A pattern fits nothing, or there are not so many layers.
    """
    layers, _ = layers_of(groups)
    _check_count(asked.layers, len(layers), "tune.reinitialize.layers")
    named = matching(asked.names, _flat(groups), "tune.reinitialize.names")
    return named | set(_flat(layers[: asked.layers]))


def depth_of(name: str, groups: Sequence[Sequence[str]]) -> int:
    """The group a parameter is in; one that was added inside a module (an adapter) is in the group of that module."""
    for depth, group in enumerate(groups):
        if name in group:
            return depth
    prefix = name
    while "." in prefix:
        prefix = prefix.rpartition(".")[0]
        for depth, group in enumerate(groups):
            if any(known.startswith(prefix + ".") for known in group):
                return depth
    return len(groups) - 1


def _check_count(asked: int, there: int, option: str) -> None:
    if asked > there:
        raise PluginError(f"{option} is {asked}, but the model has {there} layers between its embeddings and its head")


def _flat(groups: Iterable[Sequence[str]]) -> list[str]:
    return [name for group in groups for name in group]
