"""Which plugins are installed, read from distribution metadata without importing any of them."""

from __future__ import annotations

import ast
import importlib.metadata
import importlib.util
import json
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

from packaging.utils import canonicalize_name

from tuneloop.plugins.record import Origin

GROUP = "tuneloop.plugins"
HOME = "tuneloop"
"""The distribution of the built-ins."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One entry point of the group, not imported yet. `fault` says why it cannot even be tried."""

    name: str
    value: str
    distribution: str
    version: str
    origin: Origin
    fault: str = ""
    came_from: str = ""

    @property
    def module(self) -> str:
        """The module part of what the entry point refers to."""
        return self.value.partition(":")[0].strip()

    @property
    def key(self) -> str:
        """The distribution's normalised name."""
        return canonicalize_name(self.distribution)

    @property
    def label(self) -> str:
        """Distribution and version, as messages name it."""
        return f"{self.distribution} {self.version}"

    @property
    def identity(self) -> str:
        """What tells it from all others: normalised distribution and entry-point name."""
        return f"{self.key}/{self.name}"


def discover() -> list[Candidate]:
    """All entry points of the group: built-ins first, then by distribution and name: a stable order."""
    seen: set[str] = set()
    found: list[Candidate] = []
    for distribution in importlib.metadata.distributions():
        try:
            text = distribution.read_text("entry_points.txt") or ""
        except (OSError, UnicodeDecodeError):
            continue
        if GROUP not in text:
            continue
        name = distribution.metadata["Name"] or "(unnamed distribution)"
        if canonicalize_name(name) in seen or _shadowed(distribution, name):
            continue
        seen.add(canonicalize_name(name))
        found.extend(_candidates(distribution, name))
    return sorted(found, key=lambda candidate: (candidate.key != HOME, candidate.key, candidate.name))


def find_source(module: str) -> str | None:
    """The file of a module, found without importing it or its parents; None where there is none."""
    locations: list[str] | None = None
    spec: ModuleSpec | None = None
    parts = module.split(".")
    for depth in range(1, len(parts) + 1):
        try:
            spec = PathFinder.find_spec(".".join(parts[:depth]), locations)
        except (ImportError, ValueError, OSError):
            return None
        if spec is None:
            return None
        locations = list(spec.submodule_search_locations or [])
    return spec.origin if spec and spec.origin and Path(spec.origin).is_file() else None


def stated_api(module: str) -> str | None:
    """The text a module assigns to `TUNELOOP_API`, read from its source; None where it cannot be told."""
    source = find_source(module)
    if source is None or not source.endswith(".py"):
        return None
    try:
        tree = ast.parse(Path(source).read_bytes())
    except (OSError, SyntaxError, ValueError):
        return None
    for node in tree.body:
        if isinstance(node, ast.Assign):
            targets, value = node.targets, node.value
        elif isinstance(node, ast.AnnAssign) and node.value is not None:
            targets, value = [node.target], node.value
        else:
            continue
        named = any(isinstance(target, ast.Name) and target.id == "TUNELOOP_API" for target in targets)
        if named and isinstance(value, ast.Constant) and isinstance(value.value, str):
            return value.value
    return None


def _shadowed(distribution: importlib.metadata.Distribution, name: str) -> bool:
    """Whether another copy earlier on `sys.path` is the one that imports would find."""
    try:
        first = importlib.metadata.distribution(name)
    except (importlib.metadata.PackageNotFoundError, ValueError):
        return False
    return (first.version, str(first.locate_file(""))) != (
        distribution.version,
        str(distribution.locate_file("")),
    )


def _candidates(distribution: importlib.metadata.Distribution, name: str) -> Iterator[Candidate]:
    version = distribution.metadata["Version"] or "(no version)"
    origin, came_from = _origin(distribution)
    try:
        points = [point for point in distribution.entry_points if point.group == GROUP]
    except Exception as error:
        # The parser of the standard library raises whatever its line splitting happens to raise.
        yield Candidate(name, "", name, version, origin, f"its entry_points.txt cannot be read: {error}", came_from)
        return
    for point in points:
        fault = ""
        if not all(part.isidentifier() for part in point.value.partition(":")[0].strip().split(".")):
            fault = f"its entry point refers to {point.value!r}, which is no module name"
        yield Candidate(point.name, point.value, name, version, origin, fault, came_from)


def _origin(distribution: importlib.metadata.Distribution) -> tuple[Origin, str]:
    """How it was installed, and from where: a URL, a folder, or an empty text for a package index."""
    try:
        direct = json.loads(distribution.read_text("direct_url.json") or "{}")
        came_from = _shown(str(direct.get("url", "")))
        if direct.get("dir_info", {}).get("editable"):
            return "editable", came_from
    except (OSError, ValueError, AttributeError):
        came_from = ""
    if distribution.read_text("INSTALLER"):
        return "wheel", came_from
    return "path", str(distribution.locate_file(""))


def _shown(url: str) -> str:
    """A URL without credentials; a local one as a path."""
    parts = urlsplit(url)
    if parts.scheme == "file":
        return unquote(parts.path)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
