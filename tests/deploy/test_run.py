"""The services of `deploy/compose.yaml` at work together, but for Grafana: without containers, in namespaces."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.deploy.composition import DEPLOY, known, mounts

OWN = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
NEEDED = ("unshare", "ip", "prometheus", "prometheus-alertmanager", "psql")
TOKENS = {name: f"token-of-{name}-0123456789" for name in ("admin", "feedback", "grafana", "loop", "predict")}


def possible() -> bool:
    if os.geteuid() != 0 or not all(map(shutil.which, NEEDED)) or not any(Path("/usr/lib/postgresql").glob("*/bin")):
        return False
    return subprocess.run([*OWN, "true"], capture_output=True, check=False).returncode == 0


pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not possible(), reason=f"needs root, namespaces, PostgreSQL and {', '.join(NEEDED)}"),
]


class Machine:
    """The stage in its namespaces."""

    def __init__(self, process: subprocess.Popen[str], folder: Path) -> None:
        self._process, self.folder = process, folder

    def __call__(self, method: str, *arguments: Any) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([method, *arguments]) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        assert not (isinstance(answer, dict) and "error" in answer), answer
        return answer

    def log(self, name: str) -> str:
        return f"{name}:\n" + (self.folder / f"{name}.log").read_text(errors="replace")[-3000:]

    def get(self, url: str, token: str = "") -> Any:
        status, text = self("http", "GET", url, token)
        assert status == 200, text
        return json.loads(text)

    def until(self, condition: Callable[[], Any], seconds: float = 300) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline
            threading.Event().wait(0.3)


@pytest.fixture
def machine(tmp_path_factory: pytest.TempPathFactory, cells: Path) -> Iterator[Machine]:
    # Below /tmp, and open: PostgreSQL has a user of its own.
    folder = tmp_path_factory.mktemp("compose")
    for place in (folder, *folder.parents):
        if place.is_relative_to("/tmp") and place != Path("/tmp"):
            place.chmod(0o755)
    services = known(TUNELOOP_PROJECT=str(cells))["services"]
    paths, texts = {"/run/secrets": str(folder / "secrets")}, []
    for name, service in services.items():
        for source, target in mounts(service):
            if source.startswith("/"):
                paths[target] = source
            elif source.startswith("./"):
                place = folder / f"{name}-{Path(target).name}"
                if (DEPLOY / source).is_file():
                    shutil.copy(DEPLOY / source, place)
                    texts.append(str(place))
                    paths[target] = str(place)
            else:
                paths[target] = str(folder / "volumes" / source)
                Path(paths[target]).mkdir(parents=True, exist_ok=True)
    (folder / "secrets").mkdir()
    for name, token in TOKENS.items():
        (folder / "secrets" / name).write_text(token)
        (folder / "secrets" / name).chmod(0o640)
    described = folder / "services.json"
    described.write_text(json.dumps({"services": services, "paths": paths, "texts": texts}))
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        [*OWN, sys.executable, Path(__file__).with_name("stage.py"), folder, described],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={name: value for name, value in environment.items() if not name.startswith(("TUNELOOP", "MLFLOW", "PG"))},
    )
    yield Machine(process, folder)
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.close()
    process.stdout.close()
    assert process.wait(60) == 0


@pytest.fixture
def cells(tmp_path: Path) -> Path:
    """A project that trains in seconds."""
    from sklearn.datasets import load_breast_cancer

    load_breast_cancer(as_frame=True).frame.to_csv(tmp_path / "cells.csv", index=False)
    command = "init tumours --data cells.csv --task tabular-classification --target target"
    subprocess.run([sys.executable, "-m", "tuneloop.cli.main", *command.split()], cwd=tmp_path, check=True)
    return tmp_path / "tumours"


def test_the_services_work_together(machine: Machine, cells: Path) -> None:
    for name in ("postgres", "mlflow"):
        machine("start", name)
        assert machine("wait", name) == "healthy", machine.log(name)
    machine("start", "train")
    assert machine("ended", "train") == 0, machine.log("train")
    for name in ("server", "loop"):
        machine("start", name)
        assert machine("wait", name) == "healthy", machine.log(name)
    for name in ("prometheus", "alertmanager"):
        machine("start", name)
    versions = machine.get("http://mlflow:5000/api/2.0/mlflow/registered-models/get?name=tumours")
    assert versions["registered_model"]["latest_versions"]
    assert machine("http", "GET", "http://mlflow.example:5000/health")[0] == 0

    row = next(iter(rows(cells.parent / "cells.csv")))
    truth = row.pop("target")
    assert machine("http", "POST", "http://server:3000/predict", "", {"rows": [row]})[0] == 401
    status, text = machine("http", "POST", "http://server:3000/predict", TOKENS["predict"], {"rows": [row]})
    assert status == 200, text
    item = {"id": json.loads(text)["predictions"][0]["id"], "label": str(int(truth))}
    status, text = machine("http", "POST", "http://server:3000/feedback", TOKENS["feedback"], {"items": [item]})
    assert (status, json.loads(text)["joined"]) == (200, 1), text

    def up() -> bool:
        status, text = machine("http", "GET", "http://prometheus:9090/api/v1/query?query=up")
        found = json.loads(text)["data"]["result"] if status == 200 else []
        return sorted((one["metric"]["instance"], one["value"][1]) for one in found) == [
            ("loop:3001", "1"),
            ("server:3000", "1"),
        ]

    machine.until(up)
    groups = machine.get("http://prometheus:9090/api/v1/rules")["data"]["groups"]
    # A group for each window; the first, of the shortest one, has the name alone.
    names = {group["name"] for group in groups}
    assert names == {"tuneloop-tumours", *(f"tuneloop-tumours-{seconds}s" for seconds in (3600, 86400, 604800))}
    assert machine.get("http://prometheus:9090/api/v1/alertmanagers")["data"]["activeAlertmanagers"]

    labels = {"alertname": "TuneloopSignalDrift", "model": "tumours", "version": "1", "signal": "answer"}
    machine.until(lambda: machine("http", "GET", "http://alertmanager:9093/-/ready")[0] == 200)
    status, text = machine("http", "POST", "http://alertmanager:9093/api/v2/alerts", "", [{"labels": labels}])
    assert status == 200, text
    machine.until(lambda: 'decision="few-labels"' in machine("http", "GET", "http://loop:3001/metrics")[1])
    for name in ("loop", "server", "alertmanager", "prometheus", "mlflow", "postgres"):
        assert machine("stop", name) in (0, -15), machine.log(name)


def rows(path: Path) -> Iterator[dict[str, float]]:
    header, *lines = path.read_text().splitlines()
    for line in lines:
        yield dict(zip(re.split(",", header), map(float, line.split(",")), strict=True))
