"""`requires_plugins`: distributions that must be installed and bring plugins, as pytest's `required_plugins`."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable, Iterator, Mapping, Sequence

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from tuneloop.plugins import PluginRecord, nearest

Complain = Callable[[int, str], None]
"""Told the position of a requirement and what is wrong with it."""


def check_requirements(listed: Mapping[int, str], records: Sequence[PluginRecord], complain: Complain) -> list[str]:
    """Compare requirements with the installed distributions that bring plugins.

    Args:
        listed: Position to requirement, such as `tuneloop-sklearn>=0.1`.
        records: All plugins, loaded or not.
        complain: Told about each requirement that is not fulfilled.

    Returns:
        The `pip install` lines of those that are not installed, or not in the version asked for.
    """
    installed: dict[str, PluginRecord] = {canonicalize_name(r.distribution): r for r in records if not _absent(r)}
    seen: set[str] = set()
    lines: list[str] = []
    for position, text in listed.items():
        try:
            requirement = Requirement(text)
        except InvalidRequirement:
            complain(position, f"value {text!r}: expected a distribution and its versions, such as tuneloop-slack>=0.1")
            continue
        if requirement.marker is not None and not requirement.marker.evaluate():
            continue
        key = canonicalize_name(requirement.name)
        if key in seen:
            complain(position, f"{requirement.name} stands here twice: join the two")
        seen.add(key)
        found = installed.get(key)
        line = f"pip install '{requirement}'"
        if found is None and (version := _version(requirement.name)) is not None:
            complain(position, _without_plugins(f"{requirement.name} {version}", requirement.name, installed))
            continue
        if found is None:
            complain(position, f"{requirement.name} is not installed: {line}")
        elif not requirement.specifier.contains(found.version, prereleases=True):
            complain(position, f"{found.distribution} {found.version} is installed: {line}")
        else:
            for problem in _unusable([r for r in records if canonicalize_name(r.distribution) == key]):
                complain(position, problem)
            continue
        lines.append(line)
    return lines


def _absent(record: PluginRecord) -> bool:
    """Records also stand for distributions that a list allows and that are not there."""
    return not record.module and record.version == "(absent)"


def _version(name: str) -> str | None:
    """Of any installed distribution."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _without_plugins(label: str, name: str, installed: Mapping[str, PluginRecord]) -> str:
    strangers = [record.distribution for key, record in installed.items() if key != "tuneloop"]
    return (
        f"{label} is installed, but it brings no plugin.{nearest(name, strangers)} "
        f"Installed distributions that do, beside Tuneloop: {', '.join(strangers) or 'none'}"
    )


def _unusable(records: Sequence[PluginRecord]) -> Iterator[str]:
    """What keeps a distribution from being used at all; nothing where one of its plugins is loaded."""
    if not any(record.status in ("loaded", "conflict") and record.hooks for record in records):
        for record in records:
            yield f"{record.label} is installed, but {record.status}: {record.reason}"
