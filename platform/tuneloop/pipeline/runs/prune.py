"""Remove the step folders that no run needs any more.

Steps are kept so that runs can be resumed and later runs can reuse them; versions do not need them, their artifacts
are in the registry. A removed step is done again where a run asks for it.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Set
from dataclasses import dataclass
from pathlib import Path

from tuneloop.api import RunError
from tuneloop.config import Project
from tuneloop.pipeline.runs.records import RunRecord, all_alone, list_runs, read_steps
from tuneloop.registry import Registry

_GOING = ".removed-"


@dataclass(frozen=True, slots=True)
class Pruned:
    """What was removed: step folders, copies of the rows, and their size in bytes; and the runs whose steps stay."""

    folders: int
    bytes: int
    runs: tuple[str, ...]


def prune_steps(project: Project, keep: int) -> Pruned:
    """Remove what only older runs used.

    Steps stay of the newest `keep` runs, of every run that can be gone on with where it was cut off, and of the newest
    run of each version with an alias (champion, challenger, previous).

    Raises:
        RunError: A run is at work, or one that was cut off does not say which steps it used.
    """
    with all_alone(project.state):
        records = list_runs(project.state)
        aliased = {version.number for version in Registry(project).versions() if version.aliases}
        made = {record.status.version: record for record in reversed(records) if record.status.version in aliased}
        kept = [
            record
            for place, record in enumerate(records)
            if place < keep or record.state in ("interrupted", "running") or record in made.values()
        ]
        needed = frozenset(name for record in kept for name in _needed(record))
        steps = project.state / "steps"
        folders = size = 0
        for path in list(_unneeded(steps, needed)):
            size += sum(file.lstat().st_size for file in path.rglob("*") if file.is_file())
            folders += not path.name.startswith(_GOING)
            _remove(path, steps)
    return Pruned(folders, size, tuple(record.request.run for record in kept))


def _needed(record: RunRecord) -> Set[str]:
    """Folders of steps, or parts of them, that a run used."""
    found = read_steps(record.folder)
    if found is None and record.state == "interrupted" and record.status.step:
        raise RunError(
            f"run {record.request.run!r} was cut off and does not say which steps it used; finish it with "
            f"`tuneloop run --resume {record.request.run}`, then prune again"
        )
    return frozenset(name for names in (found or {}).values() for name in names)


def _unneeded(steps: Path, needed: Set[str]) -> Iterator[Path]:
    whole = {name for name in needed if "/" not in name}
    parts = {name.partition("/")[0] for name in needed if "/" in name}
    for folder in sorted(steps.iterdir()) if steps.is_dir() else ():
        if not folder.is_dir() or folder.name in whole:
            continue
        if folder.name not in parts:
            yield folder
            continue
        # The rows a source gave at different times lie beside each other in one folder.
        for part in sorted(folder.iterdir()):
            if part.is_dir() and f"{folder.name}/{part.name}" not in needed:
                yield part


def _remove(path: Path, steps: Path) -> None:
    """Out of the way in one move, so that an attempt that is killed leaves nothing that looks like a whole step."""
    going = path if path.name.startswith(_GOING) else steps / f"{_GOING}{path.parent.name}-{path.name}"
    if going != path:
        path.rename(going)
    shutil.rmtree(going)
