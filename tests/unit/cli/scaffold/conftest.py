"""A virtual environment that sees the libraries of this one, with commands `pip`, `pytest` and `tuneloop`."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from dataclasses import dataclass
from pathlib import Path

import pytest

Done = subprocess.CompletedProcess[str]


@dataclass(frozen=True)
class Fresh:
    folder: Path

    @property
    def python(self) -> Path:
        return self.folder / "venv" / "bin" / "python"

    def run(self, *command: str, cwd: Path, timeout: float = 900) -> Done:
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith(("TUNELOOP", "PYTHON", "PYTEST"))
        }
        env = {
            **kept,
            "PATH": os.pathsep.join([str(self.python.parent), kept.get("PATH", "")]),
            "XDG_CONFIG_HOME": str(self.folder / "config"),
            "OMP_NUM_THREADS": "1",
            # Everything a plugin needs is here already; nothing is fetched.
            "PIP_NO_INDEX": "1",
            "PIP_NO_BUILD_ISOLATION": "0",
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        }
        return subprocess.run(command, capture_output=True, text=True, env=env, cwd=cwd, check=False, timeout=timeout)

    def install_wheel(self, project: Path) -> Path:
        """Build a project into a wheel, and install that."""
        wheels = project.parent / "wheels"
        built = self.run("pip", "wheel", "--no-deps", "-q", "-w", str(wheels), str(project), cwd=self.folder)
        assert built.returncode == 0, built.stderr
        wheel = next(wheels.glob(f"{project.name.replace('-', '_')}-*.whl"))
        done = self.run("pip", "install", "--no-deps", "-q", str(wheel), cwd=self.folder)
        assert done.returncode == 0, done.stderr
        return wheel


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Fresh:
    """One a file of tests."""
    folder = tmp_path_factory.mktemp("fresh")
    venv.create(folder / "venv", symlinks=True, with_pip=False)
    made = Fresh(folder)
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    site = folder / "venv" / "lib" / version / "site-packages"
    outer = [path for path in sys.path if path.endswith("site-packages")]
    (site / "outer.pth").write_text("\n".join(f"import site; site.addsitedir({path!r})" for path in outer) + "\n")
    for command, module in (("pip", "pip"), ("pytest", "pytest"), ("tuneloop", "tuneloop.cli.main")):
        script = made.python.with_name(command)
        script.write_text(f'#!/bin/sh\nexec "{made.python}" -m {module} "$@"\n')
        script.chmod(0o755)
    return made
