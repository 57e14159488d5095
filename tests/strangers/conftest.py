"""Real plugins in real environments: wheels built once a session, each installed by pip beside Tuneloop's libraries."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import time
import urllib.request
import venv
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tuneloop.monitoring.stack import free_port

HERE = Path(__file__).parent
THIRD_PARTY = {"tuneloop-sklearn": ("skl2onnx==1.20.0",), "tuneloop-text-signals": ("py3langid==0.4.0",)}
"""What a plugin needs and Tuneloop's own extras do not bring."""

collect_ignore_glob = ["*/tests/*"]


@dataclass(frozen=True)
class Server:
    """A server that is ready."""

    url: str

    def predict(self, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Its answers."""
        body = json.dumps({"rows": list(rows)}).encode()
        request = urllib.request.Request(f"{self.url}/predict", body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=120) as answer:
            found: list[dict[str, Any]] = json.load(answer)["predictions"]
        return found

    def metrics(self) -> str:
        """What Prometheus reads."""
        with urllib.request.urlopen(f"{self.url}/metrics", timeout=120) as answer:
            return str(answer.read().decode())

    @staticmethod
    def wait_for(holds: Callable[[], bool], timeout: float = 300) -> None:
        """Return once it holds."""
        deadline = time.monotonic() + timeout
        while not holds():
            assert time.monotonic() < deadline, "it does not come true"
            time.sleep(0.05)


@dataclass(frozen=True)
class Stranger:
    """An environment in which plugins of strangers are installed."""

    folder: Path

    @property
    def executable(self) -> Path:
        return self.folder / "bin" / "python"

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("TUNELOOP", "PYTHON"))}
        own = {"XDG_CONFIG_HOME": str(self.folder / "config"), "OMP_NUM_THREADS": "1", "COLUMNS": "160"}
        return {**kept, **own, "NO_PROXY": "127.0.0.1"}

    def python(
        self, *arguments: str, cwd: Path | None = None, timeout: float = 900, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        """Run its interpreter to the end."""
        return subprocess.run(
            [str(self.executable), *arguments],
            capture_output=True,
            text=True,
            env={**self.environment, **variables},
            cwd=cwd,
            check=False,
            timeout=timeout,
        )

    def tuneloop(self, *arguments: str, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run the command line to the end."""
        return self.python("-m", "tuneloop.cli.main", *arguments, cwd=cwd, **variables)

    @contextmanager
    def served(self, folder: Path, port: int) -> Iterator[Server]:
        """`tuneloop serve` in a project, until it answers; ended by SIGTERM."""
        log = folder / "serve.txt"
        command = [str(self.executable), "-m", "tuneloop.cli.main", "serve", "--port", str(port)]
        with log.open("wb") as output:
            process = subprocess.Popen(
                command, env=self.environment, cwd=folder, stdout=output, stderr=subprocess.STDOUT
            )
        try:
            deadline = time.monotonic() + 300
            while "answers at" not in log.read_text():
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < deadline, log.read_text()
                time.sleep(0.05)
            yield Server(f"http://127.0.0.1:{port}")
        finally:
            process.terminate()
            process.wait(30)

    def install(self, *wheels: Path | str) -> None:
        pip(
            "--python",
            str(self.executable),
            "install",
            "--no-deps",
            "--no-index",
            "--force-reinstall",
            *map(str, wheels),
        )


def pip(*arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )
    assert done.returncode == 0, f"pip {' '.join(arguments)}\n{done.stdout}\n{done.stderr}"


@pytest.fixture(scope="session")
def build_wheel(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """The function that builds the wheel of a plugin in this folder, in its own version or another."""

    def build(distribution: str, version: str | None = None) -> Path:
        folder = tmp_path_factory.mktemp("build")
        source = shutil.copytree(HERE / distribution, folder / distribution)
        if version is not None:
            project = source / "pyproject.toml"
            project.write_text(project.read_text().replace('version = "0.1.0"', f'version = "{version}"'))
        pip("wheel", "--no-build-isolation", "--no-deps", "--no-index", "-w", str(folder / "wheels"), str(source))
        (wheel,) = (folder / "wheels").glob("*.whl")
        return wheel

    return build


@pytest.fixture(scope="session")
def new_stranger(tmp_path_factory: pytest.TempPathFactory, build_wheel: Callable[..., Path]) -> Callable[..., Stranger]:
    """The function that makes an environment with plugins of this folder installed from their wheels."""

    def make(*distributions: str) -> Stranger:
        folder = tmp_path_factory.mktemp("stranger")
        venv.create(folder / "env", with_pip=False, symlinks=True)
        stranger = Stranger(folder / "env")
        site = Path(sysconfig.get_path("purelib", vars={"base": str(stranger.folder)}))
        # The libraries, and Tuneloop itself, are those of the environment that runs the tests.
        (site / "beside.pth").write_text(f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n")
        for distribution in distributions:
            for requirement in THIRD_PARTY.get(distribution, ()):
                wheels = folder / "wheels"
                pip("download", "--no-deps", "--only-binary", ":all:", "-d", str(wheels), requirement)
                # Installed by name, as from an index: a Bento then pins it and does not carry it.
                stranger.install("--find-links", str(wheels), requirement)
            stranger.install(build_wheel(distribution))
        return stranger

    return make


@pytest.fixture(scope="session")
def sklearn_stranger(new_stranger: Callable[..., Stranger]) -> Stranger:
    return new_stranger("tuneloop-sklearn")


@pytest.fixture(scope="session")
def slack_stranger(new_stranger: Callable[..., Stranger]) -> Stranger:
    return new_stranger("tuneloop-slack")


@pytest.fixture(scope="session")
def signals_stranger(new_stranger: Callable[..., Stranger]) -> Stranger:
    return new_stranger("tuneloop-text-signals")


@pytest.fixture(name="free_port")
def one_port() -> int:
    return free_port()


@pytest.fixture(scope="session")
def own_tests() -> Callable[[Stranger, str], None]:
    """The function that runs a plugin's own tests where it is installed, without anything of this folder."""

    def run(stranger: Stranger, distribution: str) -> None:
        folder = str(HERE / distribution)
        options = ("-q", "-p", "no:cacheprovider", "-W", "error", "--confcutdir", folder, "--rootdir", folder)
        done = stranger.python("-m", "pytest", "-c", f"{folder}/pyproject.toml", *options, folder)
        assert done.returncode == 0, done.stdout + done.stderr

    return run
