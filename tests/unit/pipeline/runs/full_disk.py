"""`python full_disk.py FOLDER SIZE...`, in mounts of its own: runs whose disk is full, and which then go on.

Of each size a line of JSON tells what was said, what was registered then, and what in the end. `ro` is a disk that
may not be written.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.unit.pipeline.conftest import write_table_project

from tuneloop.api import TuneloopError
from tuneloop.config import load_project
from tuneloop.pipeline import list_runs, resume_run, run_pipeline
from tuneloop.plugins import default_manager
from tuneloop.registry import Registry

_ROOMY = "200m"


def _mount(state: Path, options: str) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(state)], check=True)


def main(folder: Path, sizes: list[str]) -> None:
    """Run each."""
    plugins = default_manager()
    for size in sizes:
        root = write_table_project(folder / size, rows=400, epochs=2, wanted=0.1)
        state = root / ".tuneloop"
        state.mkdir()
        _mount(state, "ro" if size == "ro" else f"size={size}")
        project = load_project(root, plugins)
        told: dict[str, object] = {"size": size}
        try:
            run_pipeline(project, plugins, who="ada")
        except TuneloopError as error:
            told |= {"said": str(error), "notes": error.__notes__ if hasattr(error, "__notes__") else []}
        told["step"] = [record.status.step for record in list_runs(state)]
        _mount(state, f"remount,rw,size={_ROOMY}")
        told["then"] = [version.number for version in Registry(project).versions()]
        if told["step"]:
            result = resume_run(project, plugins)
            told["state"] = result.state
            told["last"] = [[version.number, list(version.aliases)] for version in Registry(project).versions()]
        sys.stdout.write(json.dumps(told) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
