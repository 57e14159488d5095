from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[3]

Done = subprocess.CompletedProcess[str]


@pytest.fixture
def tuneloop(tmp_path: Path) -> Callable[..., Done]:
    """Run the command line in a fresh interpreter, in `tmp_path` and with no configuration of the user's."""

    def run(*arguments: str, cwd: Path | None = None, **variables: str) -> Done:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("TUNELOOP", "PYTHON"))}
        path = os.pathsep.join(map(str, (tmp_path / "site", REPOSITORY / "platform", REPOSITORY / "plugins")))
        env = {**kept, "PYTHONPATH": path, "XDG_CONFIG_HOME": str(tmp_path / "config"), "COLUMNS": "150", **variables}
        return subprocess.run(
            [sys.executable, "-m", "tuneloop.cli.main", *arguments],
            capture_output=True,
            text=True,
            env=env,
            cwd=cwd or tmp_path,
            check=False,
            timeout=900,
        )

    return run


@pytest.fixture
def stranger(tmp_path: Path) -> Callable[[str], Path]:
    """Install a plugin from its source into the path of `tuneloop`."""

    def install(source: str) -> Path:
        site = tmp_path / "site"
        info = site / "stranger-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: stranger\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text("[tuneloop.plugins]\nstranger = stranger\n")
        file = site / "stranger.py"
        file.write_text('from tuneloop.api import hookimpl\n\nTUNELOOP_API = ">=1,<2"\n' + source)
        return file

    return install
