from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
import venv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hatchling.builders.wheel import WheelBuilder

REPOSITORY = Path(__file__).parents[3]

METRIC = '''
from tuneloop.api import Metric, hookimpl

TUNELOOP_API = ">=1,<2"


class {cls}(Metric):
    """Share of exact answers."""

    name, maximize, kinds = "{name}", True, frozenset({{"classification"}})

    def compute(self, predictions, references):
        return 1.0


@hookimpl
def tuneloop_metrics():
    return [{cls}]
'''


@dataclass
class World:
    """A folder of real distributions on the path of a fresh interpreter, with a user configuration of its own."""

    site: Path
    home: Path
    interpreter: str = sys.executable

    def install(
        self,
        name: str,
        source: str | None,
        *,
        version: str = "1.0",
        module: str | None = None,
        entry: str | None = None,
    ) -> Path:
        """Lay a distribution out as a wheel would; gives the file of its module."""
        module = module or name.replace("-", "_")
        file = self.site / f"{module}.py"
        if source is not None:
            file.write_text(textwrap.dedent(source))
        info = self.site / f"{name.replace('-', '_')}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        (info / "entry_points.txt").write_text(f"[tuneloop.plugins]\n{entry or name} = {module}\n")
        (info / "RECORD").write_text(f"{module}.py,,\n")
        return file

    def metric(self, name: str, metric: str, **more: Any) -> Path:
        """Install a sound plugin that brings one metric."""
        return self.install(name, METRIC.format(cls="Exact", name=metric), **more)

    def python(self, code: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return self._run([self.interpreter, "-c", textwrap.dedent(code)], variables)

    def cli(self, *arguments: str, cwd: Path | None = None, **variables: str) -> subprocess.CompletedProcess[str]:
        return self._run([self.interpreter, "-m", "tuneloop.cli.main", *arguments], variables, cwd)

    def records(self, cwd: Path | None = None, **variables: str) -> dict[str, dict[str, Any]]:
        """What `tuneloop plugins list --json` says of each distribution in this world."""
        done = self.cli("plugins", "list", "--json", cwd=cwd, **variables)
        assert done.returncode == 0, done.stderr
        return {r["distribution"]: r for r in json.loads(done.stdout) if r["distribution"] != "tuneloop"}

    def _run(
        self, command: list[str], variables: dict[str, str], cwd: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("TUNELOOP", "PYTHON"))}
        path = os.pathsep.join(map(str, (*self._path(), REPOSITORY / "platform", REPOSITORY / "plugins")))
        env = {**kept, "PYTHONPATH": path, "XDG_CONFIG_HOME": str(self.home), "COLUMNS": "200", **variables}
        return subprocess.run(
            command, capture_output=True, text=True, env=env, cwd=cwd or self.home.parent, check=False, timeout=900
        )

    def _path(self) -> tuple[Path, ...]:
        return (self.site,)


@dataclass(frozen=True)
class Source:
    """A distribution to build: a project with a `pyproject.toml` and one module."""

    name: str
    code: str
    version: str = "1.0"
    entry: str = ""

    @property
    def module(self) -> str:
        return self.name.replace("-", "_")

    def write(self, folder: Path) -> Path:
        folder.mkdir(parents=True)
        (folder / f"{self.module}.py").write_text(textwrap.dedent(self.code))
        (folder / "pyproject.toml").write_text(
            f"""
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "{self.name}"
version = "{self.version}"

[project.entry-points."tuneloop.plugins"]
"{self.entry or self.name}" = "{self.module}"

[tool.hatch.build]
dev-mode-dirs = ["."]

[tool.hatch.build.targets.wheel]
only-include = ["{self.module}.py"]
"""
        )
        return folder


class Environment(World):
    """A virtual environment that sees the libraries of the one the tests run in; pip installs wheels into it."""

    def add(self, name: str, code: str, **more: str) -> None:
        """Build a wheel and install it."""
        self.add_all({name: {"code": code, **more}})

    def add_all(self, sources: dict[str, dict[str, str]]) -> None:
        """Build a wheel of each distribution, given by name with the other fields of `Source`, and install all."""
        wheels = [self._build(Source(name, **fields)) for name, fields in sources.items()]
        self.pip("install", "--no-deps", "--no-index", "--no-compile", *map(str, wheels))

    def source(self, name: str, code: str, folder: Path) -> Path:
        """Write the project of a distribution; gives its folder."""
        return Source(name, code).write(folder)

    def module(self, name: str) -> Path:
        """The file of an installed distribution's module."""
        return self.site / f"{name.replace('-', '_')}.py"

    def pip(self, *arguments: str) -> None:
        command = [sys.executable, "-m", "pip", "--python", self.interpreter, "--disable-pip-version-check", "-q"]
        done = subprocess.run([*command, *arguments], capture_output=True, text=True, check=False, timeout=900)
        assert done.returncode == 0, done.stderr

    def _build(self, source: Source) -> Path:
        # What pip calls to build a wheel, without the two processes that it starts for each.
        project = source.write(self.home.parent / "sources" / source.name)
        wheels = self.home.parent / "wheels"
        return Path(next(WheelBuilder(str(project)).build(directory=str(wheels), versions=["standard"])))

    def _path(self) -> tuple[Path, ...]:
        return ()


def make_environment(folder: Path) -> Environment:
    venv.create(folder / "venv", symlinks=True, with_pip=False)
    python = folder / "venv" / "bin" / "python"
    site = folder / "venv" / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages"
    outer = [path for path in sys.path if path.endswith("site-packages")]
    (site / "outer.pth").write_text("\n".join(f"import site; site.addsitedir({path!r})" for path in outer) + "\n")
    return Environment(site, folder / "config", str(python))


@pytest.fixture(scope="session")
def new_environment(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Environment]:
    return lambda: make_environment(tmp_path_factory.mktemp("environment"))


@pytest.fixture
def environment(new_environment: Callable[[], Environment]) -> Environment:
    return new_environment()


@pytest.fixture
def world(tmp_path: Path) -> World:
    site, home = tmp_path / "site", tmp_path / "config"
    site.mkdir()
    return World(site, home)
