"""The blocks of the README, run as a newcomer would."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from tuneloop.config import parse_project
from tuneloop.monitoring.stack import free_port
from tuneloop.plugins import default_manager

README = Path(__file__).parents[2] / "README.md"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README.read_text(encoding="utf-8"), flags=re.M | re.S)


def test_the_commands_work_one_after_another(tmp_path: Path) -> None:
    # Job control in one shell: the blocks share the folder they `cd` into and the server they start.
    script = "set -euo pipefail\nset -m\n" + "\n".join(blocks("bash")) + "\nwait\n"
    script = script.replace("3000", str(free_port()))
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=900, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "tuneloop_predictions_total" in done.stdout
    assert '"confidence"' in done.stdout.replace("'", '"')


def test_the_project_file_is_valid() -> None:
    (text,) = blocks("yaml")
    project = parse_project(text.encode(), Path("tuneloop.yaml"), default_manager())
    assert project.retrain.on == ("drift", "accuracy", "concept")
