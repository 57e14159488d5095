"""A run that loses its database for a while, and its MLflow: it waits for the one, and is resumed for the other."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.hosts import answers
from tests.postgres import Postgres

from tuneloop.config import load_project
from tuneloop.monitoring.stack import free_port
from tuneloop.pipeline.runs.records import list_runs
from tuneloop.plugins import default_manager
from tuneloop.registry import Registry

pytest.importorskip("dbos")
pytest.importorskip("torch")
pytestmark = pytest.mark.cluster

DEADLINE = 600.0


def wait(condition: Callable[[], Any], what: Callable[[], object]) -> Any:
    deadline = time.monotonic() + DEADLINE
    while not (found := condition()):
        assert time.monotonic() < deadline, what()
        threading.Event().wait(0.02)
    return found


@contextmanager
def mlflow_server(folder: Path, port: int) -> Iterator[None]:
    log = folder / "mlflow.txt"
    flags = ["--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    kept = [
        "--backend-store-uri",
        f"sqlite:///{folder / 'mlflow.db'}",
        "--artifacts-destination",
        str(folder / "files"),
    ]
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "mlflow", "server", *flags, *kept],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        wait(lambda: answers(f"http://127.0.0.1:{port}/health") or process.poll() is not None, log.read_text)
        assert process.poll() is None, log.read_text()
        yield
    finally:
        process.terminate()
        process.wait(60)


def test_a_run_waits_for_its_database_and_is_resumed_when_mlflow_is_back(
    table_project: Path, tmp_path: Path, postgres_server: Postgres, postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    port, services = free_port(), tmp_path / "services"
    services.mkdir()
    said = tmp_path / "said.txt"
    variables = {
        "TUNELOOP_DATABASE_URL": postgres.replace("tuneloop@", "tuneloop:geheim@"),
        "MLFLOW_TRACKING_URI": f"http://ada:geheim@127.0.0.1:{port}",
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "OMP_NUM_THREADS": "1",
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    def call(*arguments: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "tuneloop.cli.main", "run", *arguments, "--project", str(table_project)]
        with said.open("ab") as output:
            return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)

    with mlflow_server(services, port):
        process = call()
        (status,) = wait(lambda: list(table_project.glob(".tuneloop/runs/*/status.json")), said.read_text)
        wait(lambda: json.loads(status.read_text())["step"], said.read_text)
        postgres_server.stop()
        try:
            wait(lambda: "does not answer" in said.read_text() or process.poll() is not None, said.read_text)
            assert process.poll() is None, said.read_text()
        finally:
            postgres_server.start()
        wait(lambda: json.loads(status.read_text())["step"] in ("baseline", "tune", "evaluate"), said.read_text)
    # By now the run trains, or is about to ask the registry.
    assert process.wait(DEADLINE) == 2, said.read_text()
    (record,) = list_runs(table_project / ".tuneloop")
    assert record.state == "failed"
    assert "127.0.0.1" in record.status.reasons[0]
    assert "cannot be used" in record.status.reasons[0]
    with mlflow_server(services, port):
        assert call("--resume").wait(DEADLINE) == 0, said.read_text()
        registry = Registry(load_project(table_project, default_manager()))
        assert [(one.number, one.run, one.gate) for one in registry.versions()] == [("1", record.request.run, "passed")]
        with registry.store.client() as client:
            experiment = client.get_experiment_by_name(registry.name)
            (run,) = client.search_runs([experiment.experiment_id])
        assert run.info.status == "FINISHED"
    text = said.read_text()
    assert f"the database of runs at postgresql+psycopg://tuneloop:***@127.0.0.1:{postgres_server.port}/" in text
    assert "answers again" in text
    assert f"by: tuneloop run --resume {record.request.run}" in text
    assert "geheim" not in text
