"""What a server takes beside time: disk of its environment, seconds until it is ready, memory over many requests."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from tests.bench.environments import make_environment
from tests.bench.job import Job
from tests.bench.loads import Bench
from tests.bench.models import Model
from tests.bench.processes import Server
from tests.bench.starts import serve_bento
from tests.bench.subjects import SUBJECTS, bodies, start
from tests.bench.workloads import Workload

from tuneloop.monitoring.stack import free_port

_TRAINING = ("torch", "transformers", "mlflow", "datasets")
_CAME = ("pip", "setuptools", "pkg_resources", "_distutils_hack", "distutils-precedence")
"""Came with the environment; the Bento does not ask for them."""
_STARTS = 3
_STEPS = 10
_CLIENTS = 16


@dataclass(frozen=True)
class Environment:
    """What the requirements of a Bento bring, installed into an environment of their own.

    Attributes:
        installed: Bytes on disk of everything the requirements brought.
        bytecode: Of these, what pip compiled, and Python would compile again.
        training: Libraries for training among them.
        ready: Seconds from the start of `bentoml serve` to readiness, by start.
        ready_cpu: Processor seconds until then, which a busy machine disturbs less.
    """

    installed: int
    bytecode: int
    training: tuple[str, ...]
    ready: tuple[float, ...]
    ready_cpu: tuple[float, ...]


@dataclass(frozen=True)
class Memory:
    """Resident bytes of a server's processes after every tenth of the requests."""

    subject: str
    requests: int
    resident: tuple[int, ...]


def measure_environment(bench: Bench, model: Model, folder: Path) -> Environment:
    """Install what a Bento asks for, as its README says, and serve it from there."""
    requirements = model.bento / "env" / "python" / "requirements.txt"
    wheels = sorted((model.bento / "src" / "wheels").glob("*.whl"))
    stands_for = requirements.read_bytes() + b"".join(wheel.read_bytes() for wheel in wheels)
    bench.say(f"{model.name}: installing the requirements of its Bento")
    python = make_environment(folder, ["-r", str(requirements.resolve())], stands_for, model.bento / "src")
    site = next((folder / "lib").glob("python3*/site-packages"))
    installed = [file for path in site.iterdir() if not path.name.startswith(_CAME) for file in _files(path)]
    starts = [_start(bench, model, python) for _ in range(_STARTS)]
    return Environment(
        sum(map(_size, installed)),
        sum(_size(file) for file in installed if file.suffix == ".pyc"),
        tuple(name for name in _TRAINING if (site / name).exists()),
        tuple(wall for wall, _ in starts),
        tuple(cpu for _, cpu in starts),
    )


def _files(path: Path) -> list[Path]:
    return [path, *path.rglob("*")] if path.is_dir() else [path]


def _size(file: Path) -> int:
    """Blocks that are taken on disk, as `du` counts."""
    return file.lstat().st_blocks * 512


def _start(bench: Bench, model: Model, python: Path) -> tuple[float, float]:
    """Seconds and processor seconds until a server of the Bento is ready."""
    port = free_port()
    own = bench.folder / f"ready-{port}"
    shutil.rmtree(own, ignore_errors=True)
    own.mkdir(parents=True)
    how = serve_bento(model.bento, port, own, store=True, python=python)
    server = Server.start(how.command, port=port, ready=how.ready, log=own / "server.log", environment=how.environment)
    cpu = server.cpu_seconds()
    server.stop()
    bench.say(f"{model.name}: ready after {server.ready_seconds:.2f} s, of which the processor took {cpu:.2f} s")
    return server.ready_seconds, cpu


def measure_memory(bench: Bench, workload: Workload, name: str, requests: int) -> Memory:
    """Send that many requests to the door of Tuneloop of that name.

    Raises:
        RuntimeError: A request failed.
    """
    subject = SUBJECTS[name]
    server = start(subject, workload, bench.folder, bench.pythons)
    step = requests // _STEPS
    job = Job(
        port=server.port,
        path=subject.path(workload),
        bodies=bodies(subject, workload),
        concurrency=_CLIENTS,
        seconds=3600,
        requests=step,
    )
    try:
        # Pools and caches fill with the first requests.
        bench.generator.run(job.model_copy(update={"requests": max(1, step // 10)}))
        resident = [server.resident_bytes()]
        for number in range(1, _STEPS + 1):
            outcome = bench.generator.run(job)
            if outcome.failures:
                raise RuntimeError(f"{name}: failures {outcome.failures}: {outcome.said}")
            resident.append(server.resident_bytes())
            bench.say(f"{name}: {resident[-1] / 1e6:.1f} MB after {number * step:,} requests")
    finally:
        server.stop()
    return Memory(name, requests, tuple(resident))
