"""The distributions that the user blocks: one JSON file in the user's configuration folder."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import Collection
from pathlib import Path

from packaging.utils import canonicalize_name

from tuneloop.api import PluginError


def blocklist_path() -> Path:
    """`$XDG_CONFIG_HOME/tuneloop/plugins.json`, or the same below `~/.config`."""
    base = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return Path(base) / "tuneloop" / "plugins.json"


def blocked_distributions() -> frozenset[str]:
    """Normalised names of the distributions that the user blocks.

    Raises:
        PluginError: The file is there but cannot be read. It guards against code the user does not trust, so
            an unreadable one is never taken for an empty one.
    """
    path = blocklist_path()
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        names = content["blocked"]
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise TypeError("'blocked' is not a list of texts")
    except FileNotFoundError:
        return frozenset()
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise PluginError(
            f"the list of blocked plugins {path} cannot be read: {error}. "
            'Repair it (its form is {"blocked": ["NAME"]}) or delete it.'
        ) from error
    return frozenset(canonicalize_name(name) for name in names)


def block(distribution: str) -> bool:
    """Add a distribution to the list; says whether it was new."""
    before = blocked_distributions()
    _write(before | {canonicalize_name(distribution)})
    return canonicalize_name(distribution) not in before


def unblock(distribution: str) -> bool:
    """Take a distribution off the list; says whether it was on it."""
    before = blocked_distributions()
    if canonicalize_name(distribution) not in before:
        return False
    _write(before - {canonicalize_name(distribution)})
    return True


def _write(names: Collection[str]) -> None:
    path = blocklist_path()
    text = json.dumps({"blocked": sorted(names)}, indent=2) + "\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            Path(temporary).replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                Path(temporary).unlink()
            raise
    except OSError as error:
        raise PluginError(f"the list of blocked plugins {path} cannot be written: {error}") from error
