"""Machines of one deployment: each has a folder, an address and a way to the database of its own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families
from tests.e2e.network import Place, Wire

from tuneloop.monitoring.stack import free_port
from tuneloop.serving.server import server_environment

DEADLINE = 300.0


def wait(condition: Callable[[], Any], what: Callable[[], object] = lambda: "it does not come true") -> Any:
    deadline = time.monotonic() + DEADLINE
    while not (found := condition()):
        assert time.monotonic() < deadline, what()
        threading.Event().wait(0.05)
    return found


def call(url: str, body: Any = None, token: str = "") -> Any:
    headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {token}"} if token else {})}
    request = urllib.request.Request(url, None if body is None else json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=120) as answer:
        return json.load(answer)


def answers(url: str) -> bool:
    """Whether it answers 200."""
    try:
        with urllib.request.urlopen(url, timeout=120) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


@contextmanager
def running(command: list[str], log: Path, environment: dict[str, str], ready: str) -> Iterator[None]:
    """A service, from when it answers until it is ended."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
    try:
        wait(lambda: answers(ready) or process.poll() is not None, log.read_text)
        assert process.poll() is None, log.read_text()
        yield
    finally:
        process.terminate()
        process.wait(60)


@contextmanager
def shared_services(folder: Path, address: str) -> Iterator[dict[str, str]]:
    """An object store with the bucket `desk`, and an MLflow that keeps its files there; gives variables for both."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("TUNELOOP_", "MLFLOW_", "AWS_", "BENTOML_"))}
    store, tracking = (f"http://{address}:{free_port()}" for _ in range(2))
    reached = {
        "AWS_ENDPOINT_URL": store,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_CONFIG_FILE": str(folder / "none"),
        "AWS_SHARED_CREDENTIALS_FILE": str(folder / "none"),
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_REQUEST_CHECKSUM_CALCULATION": "when_required",
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }

    def listen(url: str, program: str, *flags: str) -> list[str]:
        return [sys.executable, "-m", *program.split(), *flags[:1], address, *flags[1:2], url.rpartition(":")[2]]

    with ExitStack() as stack:
        moto = listen(store, "moto.server", "-H", "-p")
        stack.enter_context(running(moto, folder / "moto.txt", clean, f"{store}/moto-api/"))
        urllib.request.urlopen(urllib.request.Request(f"{store}/desk", method="PUT"), timeout=120).close()
        keeps = (
            "--backend-store-uri",
            f"sqlite:///{folder / 'mlflow.db'}",
            "--artifacts-destination",
            "s3://desk/runs",
        )
        mlflow = [
            *listen(tracking, "mlflow server", "--host", "--port"),
            "--workers",
            "1",
            "--allowed-hosts",
            "*",
            *keeps,
        ]
        stack.enter_context(running(mlflow, folder / "mlflow.txt", {**clean, **reached}, f"{tracking}/health"))
        yield {**clean, **reached, "MLFLOW_TRACKING_URI": tracking}


@dataclass
class Host:
    """A machine. `shared` are the variables by which it reaches what all share, but for the database."""

    folder: Path
    place: Place
    wire: Wire
    database: str
    shared: dict[str, str]
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)
    url: str = ""

    @property
    def state(self) -> Path:
        return self.folder / ".tuneloop"

    @property
    def log(self) -> str:
        return (self.folder / "log.txt").read_text(errors="replace")[-4000:]

    def start(self, *command: str, **variables: str) -> subprocess.Popen[bytes]:
        """Run a command; its output goes to the log."""
        temporary = self.folder / "tmp"
        temporary.mkdir(parents=True, exist_ok=True)
        own = {
            "HOME": str(self.folder),
            "TMPDIR": str(temporary),
            "OMP_NUM_THREADS": "1",
            "TUNELOOP_DRAIN_SECONDS": "0",
            "TUNELOOP_DATABASE_URL": self.database,
            "TUNELOOP_STORE_URL": self.database,
        }
        with (self.folder / "log.txt").open("ab") as output:
            process = subprocess.Popen(
                [*self.place.prefix, *command],
                cwd=self.folder,
                env={**self.shared, **own, **variables},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.processes.append(process)
        return process

    def tuneloop(self, *arguments: str) -> subprocess.Popen[bytes]:
        return self.start(sys.executable, "-m", "tuneloop.cli.main", *arguments)

    def serve(self, bento: Path) -> None:
        """As in a container: BentoML and variables, nothing of the project."""
        port, own = str(free_port()), self.folder / "bento"
        shutil.copytree(bento, own)
        said = server_environment(home=self.folder / "home", workers=1, threads=1, channel=None, store_url=None)
        kept = ("BENTOML_HOME", "BENTOML_DO_NOT_TRACK", "TUNELOOP_WORKERS", "TUNELOOP_THREADS")
        variables = {**{name: said[name] for name in kept}, "TUNELOOP_INSECURE": "1"}
        command = [sys.executable, "-m", "bentoml", "serve", str(own), "--host", self.place.address, "--port", port]
        self.start(*command, **variables)
        self.url = f"http://{self.place.address}:{port}"

    def lead(self, servers: list[str]) -> subprocess.Popen[bytes]:
        """Start the loop; it leads, or waits for its turn."""
        port = str(free_port())
        self.url = f"http://{self.place.address}:{port}"
        named = [part for url in servers for part in ("--server", url)]
        process = self.tuneloop("loop", "--host", self.place.address, "--port", port, *named)
        wait(lambda: answers(f"{self.url}/healthz") or process.poll() is not None, lambda: self.log)
        assert process.poll() is None, self.log
        return process

    def status(self) -> dict[str, Any]:
        """What its loop says of itself; empty while it does not lead."""
        try:
            return dict(call(f"{self.url}/status"))
        except (OSError, ValueError):
            return {}

    def sample(self, name: str, **labels: str) -> float:
        """The sum of a metric of its server."""
        with urllib.request.urlopen(f"{self.url}/metrics", timeout=120) as answer:
            families = text_string_to_metric_families(answer.read().decode())
            samples = [sample for family in families for sample in family.samples if sample.name == name]
        return sum(one.value for one in samples if labels.items() <= one.labels.items())

    def end(self) -> None:
        for process in self.processes:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in self.processes:
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
