"""How each server is started: as its documentation advises, set up for speed, with the same threads."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tests.bench.workloads import Workload

from tuneloop.monitoring.stack import free_port
from tuneloop.serving.server import server_environment

PEERS = Path(__file__).parent / "peers"
THREADS = 2
"""Calls of a slow graph at the same time, for every subject."""


@dataclass(frozen=True)
class Place:
    """Where a server runs.

    Attributes:
        port: On 127.0.0.1.
        folder: For its files alone.
        pythons: Interpreter by peer, for those with an environment of their own.
    """

    port: int
    folder: Path
    pythons: Mapping[str, Path]


@dataclass(frozen=True)
class Start:
    """Command, environment, the path that is answered with 200 once it is ready, and the folder to start it in."""

    command: Sequence[str]
    environment: dict[str, str]
    ready: str
    folder: Path | None = None


def serve_bento(bento: Path, port: int, folder: Path, *, store: bool, python: Path = Path(sys.executable)) -> Start:
    """`bentoml serve` of a Bento, as `tuneloop serve` starts it, with its files in `folder`.

    Args:
        bento: Its folder.
        port: On 127.0.0.1.
        folder: For home and store.
        store: Whether predictions are stored.
        python: Of the environment that serves.
    """
    url = f"sqlite:///{folder.resolve() / 'predictions.db'}" if store else None
    home = folder / "bentoml"
    home.mkdir()
    environment = server_environment(home=home, workers=1, threads=THREADS, channel=None, store_url=url)
    command = [str(python), "-m", "bentoml", "serve", str(bento.resolve()), "--port", str(port)]
    return Start(command, environment, "/readyz")


def watched(workload: Workload, place: Place) -> Start:
    """Tuneloop as it is by default: predictions stored, signals watched."""
    return serve_bento(workload.model.bento, place.port, place.folder, store=True)


def unwatched(workload: Workload, place: Place) -> Start:
    """Tuneloop without store, and with a Bento that has no reference, so that it watches no signal."""
    return serve_bento(workload.model.plain, place.port, place.folder, store=False)


def _environment(workload: Workload) -> dict[str, str]:
    return {
        "BENCH_MODEL": str(workload.model.graph.resolve()),
        "BENCH_THREADS": str(THREADS),
        "BENCH_INLINE": "1" if workload.inline else "0",
        "OMP_NUM_THREADS": "1",
    }


def bentoml(service: str) -> Callable[[Workload, Place], Start]:
    """A service of `peers/`, as `module:Class`."""

    def how(workload: Workload, place: Place) -> Start:
        environment = _environment(workload) | {"BENTOML_HOME": str(place.folder), "BENTOML_DO_NOT_TRACK": "True"}
        address = ["--host", "127.0.0.1", "--port", str(place.port)]
        return Start([sys.executable, "-m", "bentoml", "serve", service, *address], environment, "/readyz", PEERS)

    return how


def fastapi(workload: Workload, place: Place) -> Start:
    """uvicorn with its fast loop and parser, and no access log."""
    options = ["--port", str(place.port), "--loop", "uvloop", "--http", "httptools", "--no-access-log"]
    command = [sys.executable, "-m", "uvicorn", "fastapi_app:app", *options]
    return Start(command, _environment(workload), "/openapi.json", PEERS)


def litserve(workload: Workload, place: Place) -> Start:
    """One process for requests, one or more for the model."""
    command = [str(place.pythons["litserve"]), "litserve_app.py"]
    return Start(command, _environment(workload) | {"BENCH_PORT": str(place.port)}, "/health", PEERS)


def litserve_batch(workload: Workload, place: Place) -> Start:
    """The same with dynamic batching."""
    alone = litserve(workload, place)
    return replace(alone, environment=alone.environment | {"BENCH_PADDED": "1"})


def mlserver(workload: Workload, place: Place) -> Start:
    """A model class in a repository of its own."""
    # In its own process, as parallel workers cost a hop between processes; without its adaptive batching, which waits
    # for a timer and made the table slower with 1 client and hardly faster with 64.
    settings = {
        "debug": False,
        "host": "127.0.0.1",
        "http_port": place.port,
        "grpc_port": free_port(),
        "metrics_port": free_port(),
        "parallel_workers": 0,
        "gzip_enabled": False,
    }
    (place.folder / "settings.json").write_text(json.dumps(settings), encoding="utf-8")
    model = {"name": workload.model.name, "implementation": "mlserver_model.Onnx"}
    (place.folder / "model-settings.json").write_text(json.dumps(model), encoding="utf-8")
    environment = _environment(workload) | {"PYTHONPATH": str(PEERS)}
    command = [str(place.pythons["mlserver"].parent / "mlserver"), "start", str(place.folder)]
    return Start(command, environment, f"/v2/models/{workload.model.name}/ready", place.folder)
