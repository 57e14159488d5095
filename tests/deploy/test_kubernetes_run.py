"""A Bento started as `deploy/kubernetes/base/server.yaml` says: its arguments, its variables, a file system that is
read-only but for what is mounted. Probes, ports, tokens and the metrics that scaling and rules read are there."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.deploy.manifests import FOLDER, documents, environment, find, pod_of
from tests.unit.serving.change.conftest import BODY
from tests.unit.serving.conftest import make_artifact

from tuneloop.monitoring.stack import free_port
from tuneloop.serving.packaging.bento import bento_folder, build_bento
from tuneloop.serving.trust.tokens import ROLES

OWN = ["unshare", "--mount"]
# Everything below / becomes read-only; the mounts of the pod stay as they are.
SEALED = """
set -e
for place in "$SCRATCH" "$TOKENS"; do mount --bind "$place" "$place"; done
mount -o remount,ro,bind "$TOKENS"
mount -o remount,ro,bind /
if touch "$BENTO/probe" 2>/dev/null; then echo "the root file system is writable"; exit 9; fi
cd "$BENTO"
exec "$@"
"""


def possible() -> bool:
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        return False
    done = subprocess.run([*OWN, "mount", "-o", "remount,ro,bind", "/"], capture_output=True, check=False)
    return done.returncode == 0


pytestmark = pytest.mark.skipif(not possible(), reason="needs root and mount namespaces")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, subprocess.Popen[bytes], Path]]:
    """Address, process and scratch folder of the server."""
    place = tmp_path_factory.mktemp("pod")
    bento = bento_folder(place / "bentos", build_bento(make_artifact(place / "one", 1), "1", home=place / "bentos"))
    scratch, tokens = place / "scratch", place / "tokens"
    scratch.mkdir()
    tokens.mkdir()
    for role in ROLES:
        (tokens / role).write_text(f"token-of-{role}-0123456789")
        (tokens / role).chmod(0o440)
    [container] = pod_of(find("Deployment", "tuneloop-server"))["spec"]["containers"]
    port = free_port()
    variables = {
        name: re.sub("^/run/secrets/tuneloop", str(tokens), re.sub("^/tmp", str(scratch), value))
        for name, value in environment(container).items()
    }
    arguments = [str(port) if one == "3000" else one for one in container["args"]]
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    given = {"PATH": path, "BENTO": str(bento), "SCRATCH": str(scratch), "TOKENS": str(tokens), "TMPDIR": str(scratch)}
    # As BentoML's image does it.
    given |= {"BENTO_PATH": str(bento), "BENTOML_CONTAINERIZED": "true", "OMP_NUM_THREADS": "1"}
    given |= {"TUNELOOP_STORE_URL": f"sqlite:///{scratch}/store.db", "PYTHONDONTWRITEBYTECODE": "1", **variables}
    entry = ["bash", str(bento / "env/docker/entrypoint.sh"), *arguments]
    with (place / "log.txt").open("wb") as log:
        process = subprocess.Popen(
            [*OWN, "sh", "-c", SEALED, "sealed", *entry], env=given, stdout=log, stderr=log, start_new_session=True
        )
        try:
            yield f"http://127.0.0.1:{port}", process, place
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(30)


def until_ready(url: str, path: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()
        try:
            if httpx.get(url + path, timeout=10).status_code == 200:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.1)
    pytest.fail(log.read_text())


def test_the_pod_as_it_is_described(server: tuple[str, subprocess.Popen[bytes], Path]) -> None:
    url, process, place = server
    [container] = pod_of(find("Deployment", "tuneloop-server"))["spec"]["containers"]
    probes = {name: container[name]["httpGet"]["path"] for name in ("startupProbe", "readinessProbe", "livenessProbe")}
    until_ready(url, probes["startupProbe"], process, place / "log.txt")
    assert all(httpx.get(url + path).status_code == 200 for path in probes.values())
    # Nothing is open to who has no token.
    assert httpx.post(f"{url}/predict", json=BODY).status_code == 401
    assert httpx.get(f"{url}/metrics").status_code == 401
    answer = httpx.post(f"{url}/predict", json=BODY, headers=bearer("predict"), timeout=120)
    assert answer.status_code == 200, answer.text
    item = {"id": answer.json()["predictions"][0]["id"], "label": "high"}
    assert httpx.post(f"{url}/feedback", json={"items": [item]}, headers=bearer("feedback")).status_code == 200

    known = set()
    deadline = time.monotonic() + 300
    wanted = read_by_scaling() | read_by_rules()
    while not wanted <= known and time.monotonic() < deadline:
        page = httpx.get(f"{url}/metrics", headers=bearer("admin"), timeout=120).text
        known = set(re.findall(r"^(\w+?)[ {]", page, re.MULTILINE))
        time.sleep(0.2)
    assert wanted <= known, wanted - known
    os.killpg(process.pid, signal.SIGTERM)
    # Readiness goes first, and the pod still answers: Kubernetes has time to turn clients away.
    deadline = time.monotonic() + 10
    while httpx.get(url + probes["readinessProbe"]).status_code == 200:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert httpx.post(f"{url}/predict", json=BODY, headers=bearer("predict"), timeout=120).status_code == 200
    process.wait(60)


def bearer(role: str) -> dict[str, str]:
    return {"Authorization": f"Bearer token-of-{role}-0123456789"}


def read_by_scaling() -> set[str]:
    """Metrics of pods that the autoscaler asks for; the adapter gives each under its own name."""
    [autoscaler] = documents(FOLDER / "autoscale/hpa.yaml")
    asked = {one["pods"]["metric"]["name"] for one in autoscaler["spec"]["metrics"] if one["type"] == "Pods"}
    [adapter] = documents(FOLDER / "autoscale/adapter-rules.yaml")
    given = {one["name"]["as"]: re.match(r"\w+", one["seriesQuery"]) for one in adapter["rules"]["custom"]}
    assert asked == given.keys()
    return {found[0] for found in given.values() if found is not None}


def read_by_rules() -> set[str]:
    """Series of the server that the rules begin with: not recorded ones, which have colons, and not the loop's.

    Errors of numbers are counted where a model answers with numbers, and this one answers with words.
    """
    groups: list[dict[str, Any]] = find("PrometheusRule", "tuneloop-desk")["spec"]["groups"]
    text = json.dumps([rule["expr"] for group in groups for rule in group["rules"]])
    found = set(re.findall(r"(?<![:\w])tuneloop_\w+(?![:\w])", text))
    return {
        name for name in found if not name.startswith(("tuneloop_detector_", "tuneloop_loop_", "tuneloop_label_error_"))
    }
