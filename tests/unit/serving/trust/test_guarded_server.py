"""A real `bentoml serve` of a signed Bento that asks for tokens, started as its container would start it."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tuneloop.api import ServingError
from tuneloop.artifact import Artifact
from tuneloop.monitoring.rules import WatchValues
from tuneloop.monitoring.stack import Stack, find_stack
from tuneloop.serving.packaging.bento import bento_folder, build_bento
from tuneloop.serving.server import ServerProcess, start_server
from tuneloop.serving.trust.auth import role_of
from tuneloop.serving.trust.signature import MODEL_SUBJECT, SIGNATURE, Signer
from tuneloop.serving.trust.tokens import ROLES, VARIABLES, Role
from tuneloop.serving.versions.channel import Channel, ChannelEntry, write_channel

MODEL = "tiny-income"
TOKENS: dict[Role, str] = {role: f"{role}-of-the-guarded-server" for role in ROLES}
ROW = {"rows": [{"age": 30, "hours per week": 40.5, "job": "cook"}]}
TENSORS = {
    "inputs": [
        {"name": "numeric", "datatype": "FP32", "shape": [1, 3], "data": [0.0, 0.0, 0.0]},
        {"name": "categorical", "datatype": "INT64", "shape": [1, 1], "data": [1]},
    ]
}
REQUESTS: list[tuple[str, str, Any]] = [
    ("POST", "/predict", ROW),
    ("POST", f"/v2/models/{MODEL}/infer", TENSORS),
    ("GET", "/v2", None),
    ("GET", f"/v2/models/{MODEL}", None),
    ("GET", f"/v2/models/{MODEL}/ready", None),
    ("POST", "/feedback", {"items": [{"id": "0" * 24, "label": "low"}]}),
    ("GET", "/metrics", None),
    ("GET", "/", None),
    ("GET", "/docs.json", None),
    ("GET", "/schema.json", None),
]


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def write_tokens(path: Path, *tokens: str) -> None:
    fresh = path.with_suffix(".fresh")
    fresh.write_text("".join(f"{token}\n" for token in tokens))
    fresh.chmod(0o600)
    fresh.replace(path)


@dataclass
class Stage:
    server: ServerProcess
    client: httpx.Client
    folder: Path
    signers: tuple[Signer, Signer]
    artifacts: dict[str, Artifact]

    def wait(self, condition: Callable[[], bool], seconds: float = 300) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, self.server.log.read_text()[-3000:]
            threading.Event().wait(0.05)

    def metrics(self) -> str:
        return self.client.get("/metrics", headers=bearer(TOKENS["admin"])).text

    def version(self) -> str:
        answer = self.client.post("/predict", json=ROW, headers=bearer(TOKENS["predict"]))
        return str(answer.json()["version"])

    def point(self, version: str, signer: Signer | None) -> None:
        artifact = self.artifacts[version]
        envelope = None if signer is None else signer.sign({MODEL_SUBJECT: artifact.sha256}, MODEL, version).decode()
        entry = ChannelEntry(version=version, artifact=str(artifact.folder), sha256=artifact.sha256, signature=envelope)
        write_channel(str(self.folder / "channel.json"), Channel(model=MODEL, champion=entry, updated="now"))


@dataclass
class Built:
    folder: Path
    artifact: Artifact
    signer: Signer
    other: Signer
    public: Path


@pytest.fixture(scope="module")
def built(
    tmp_path_factory: pytest.TempPathFactory,
    artifacts: Callable[..., Artifact],
    session_keys: Callable[[], tuple[Path, Path]],
) -> Built:
    home, artifact = tmp_path_factory.mktemp("home"), artifacts(1)
    (private, public), (other, _) = session_keys(), session_keys()
    signer = Signer(private)
    folder = bento_folder(home, build_bento(artifact, "1", home=home, signer=signer))
    return Built(folder, artifact, signer, Signer(other), public)


@pytest.fixture(scope="module")
def token_files(tmp_path_factory: pytest.TempPathFactory) -> dict[Role, Path]:
    folder = tmp_path_factory.mktemp("tokens")
    found = {role: folder / role for role in ROLES}
    for role, path in found.items():
        write_tokens(path, TOKENS[role])
    return found


@pytest.fixture(scope="module")
def stage(
    built: Built,
    token_files: dict[Role, Path],
    tmp_path_factory: pytest.TempPathFactory,
    artifacts: Callable[..., Artifact],
    new_port: Callable[[], int],
) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("server")
    server = start_server(
        str(built.folder),
        home=folder / "home",
        log=folder / "log.txt",
        port=new_port(),
        channel=str(folder / "channel.json"),
        store_url=f"sqlite:///{folder}/predictions.db",
        guards={
            "TUNELOOP_VERIFY_KEY_FILE": str(built.public),
            "TUNELOOP_DEVICE": "cpu",
            **{VARIABLES[role]: str(path) for role, path in token_files.items()},
        },
    )
    with server, httpx.Client(base_url=server.url, timeout=120) as client:
        versions = {"1": built.artifact, "2": artifacts(2), "3": artifacts(3)}
        stage = Stage(server, client, folder, (built.signer, built.other), versions)
        stage.point("1", built.signer)
        server.wait_ready(300)
        yield stage


@pytest.mark.parametrize("path", ["/livez", "/healthz", "/readyz", "/v2/health/live", "/v2/health/ready"])
def test_health_is_open(stage: Stage, path: str) -> None:
    assert stage.client.get(path).status_code == 200


@pytest.mark.parametrize(("method", "path", "body"), REQUESTS)
def test_a_path_answers_its_own_role_alone(stage: Stage, method: str, path: str, body: Any) -> None:
    role = role_of(path)
    assert role is not None
    for headers in ({}, bearer("a-token-nobody-knows"), {"Authorization": "Basic YTpi"}):
        answer = stage.client.request(method, path, json=body, headers=headers)
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert answer.json()["type"] == "urn:tuneloop:problem:unauthorized"
    for other in ROLES:
        answer = stage.client.request(method, path, json=body, headers=bearer(TOKENS[other]))
        if other == role:
            assert answer.status_code == 200, answer.text
        else:
            assert answer.status_code == 403
            assert answer.json()["type"] == "urn:tuneloop:problem:forbidden"


def test_unknown_paths_and_models_are_told_to_nobody_without_a_token(stage: Stage) -> None:
    for path in ("/nothing", "/v2/models/another", "/v2/models/another/ready"):
        assert stage.client.get(path).status_code == 401
        assert stage.client.get(path, headers=bearer(TOKENS["predict"])).status_code == 404


def test_a_refusal_comes_before_the_body(stage: Stage) -> None:
    address = stage.client.base_url
    with socket.create_connection((address.host, address.port or 80), timeout=60) as connection:
        head = f"POST /predict HTTP/1.1\r\nHost: {address.host}\r\nContent-Type: application/json\r\n"
        connection.sendall(f"{head}Content-Length: 1000000\r\n\r\n".encode())
        answer = connection.makefile("rb").readline()
    assert b" 401 " in answer


def test_tokens_are_changed_without_a_restart(stage: Stage, token_files: dict[Role, Path]) -> None:
    fresh = "the-next-token-of-predict"

    def status(token: str) -> int:
        return stage.client.post("/predict", json=ROW, headers=bearer(token)).status_code

    assert (status(TOKENS["predict"]), status(fresh)) == (200, 401)
    try:
        write_tokens(token_files["predict"], TOKENS["predict"], fresh)
        stage.wait(lambda: status(fresh) == 200)
        assert status(TOKENS["predict"]) == 200
        write_tokens(token_files["predict"], fresh)
        stage.wait(lambda: status(TOKENS["predict"]) == 401)
        assert status(fresh) == 200
    finally:
        write_tokens(token_files["predict"], TOKENS["predict"])
        stage.wait(lambda: status(TOKENS["predict"]) == 200)


def test_only_signed_versions_are_taken_from_the_channel(stage: Stage) -> None:
    own, other = stage.signers

    def refused(count: int) -> Callable[[], bool]:
        line = f'tuneloop_channel_refusals_total{{model="{MODEL}",reason="untrusted"}} {count}.0'
        return lambda: line in stage.metrics()

    stage.point("2", other)
    stage.wait(refused(1))
    stage.point("2", None)
    stage.wait(refused(2))
    assert stage.version() == "1"
    stage.point("2", own)
    stage.wait(lambda: stage.version() == "2")
    stage.point("1", own)
    stage.wait(lambda: stage.version() == "1")
    assert "is not signed, and this server serves only what" in stage.server.log.read_text()


def test_prometheus_reads_the_metrics_with_a_token(stage: Stage, token_files: dict[Role, Path], tmp_path: Path) -> None:
    if find_stack() is None:
        pytest.skip("prometheus and alertmanager are not on the PATH")
    values = WatchValues(MODEL, window=60, scrape_interval=1)
    pages, webhook = [f"{stage.server.url}/metrics"], "http://127.0.0.1:9/"
    with Stack(tmp_path, values, pages, webhook, page_token_file=token_files["admin"]) as stack:
        stack.wait_ready()

        def reached() -> bool:
            answer = httpx.get(f"{stack.prometheus_url}/api/v1/query", params={"query": 'up{job="tuneloop-0"}'})
            found = answer.json()["data"]["result"]
            return bool(found) and found[0]["value"][1] == "1"

        stage.wait(reached)


def test_no_token_is_logged_or_counted(stage: Stage) -> None:
    stage.client.post("/predict", json=ROW, headers=bearer("a-token-nobody-knows"))
    written = stage.server.log.read_text() + stage.metrics()
    assert not any(token in written for token in (*TOKENS.values(), "a-token-nobody-knows"))
    assert f'tuneloop_requests_refused_total{{model="{MODEL}",reason="unauthorized"}}' in written


def failed_start(built: Built, folder: Path, port: int, guards: dict[str, str], bento: Path | None = None) -> str:
    server = start_server(
        str(bento or built.folder), home=folder / "home", log=folder / "log.txt", port=port, guards=guards
    )
    with server, pytest.raises(ServingError, match="ended with status 1") as caught:
        server.wait_ready(300)
    return str(caught.value)


def test_a_bento_that_was_tampered_with_is_not_served(built: Built, tmp_path: Path, free_port: int) -> None:
    spoiled = shutil.copytree(built.folder, tmp_path / "bento")
    with (spoiled / "src" / "artifact" / "examples.json").open("a") as stream:
        stream.write(" ")
    said = failed_start(built, tmp_path, free_port, {"TUNELOOP_VERIFY_KEY_FILE": str(built.public)}, spoiled)
    assert "is not as it was signed: the file 'src/artifact/examples.json' was changed" in said
    (spoiled / SIGNATURE).unlink()
    said = failed_start(built, tmp_path, free_port, {"TUNELOOP_VERIFY_KEY_FILE": str(built.public)}, spoiled)
    assert "is not signed, and this server serves only what" in said


def container(built: Built, folder: Path, port: int, **variables: str) -> ServerProcess:
    """The entry point of the image, as the Dockerfile sets it up."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("TUNELOOP", "BENTOML"))}
    environment |= {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "BENTO_PATH": str(built.folder),
        "BENTOML_HOME": str(folder / "home"),
        "BENTOML_CONTAINERIZED": "true",
        "PORT": str(port),
        "BENTOML_DO_NOT_TRACK": "True",
        **variables,
    }
    (folder / "home").mkdir(exist_ok=True)
    with (folder / "log.txt").open("wb") as log:
        process = subprocess.Popen(
            ["bash", str(built.folder / "env" / "docker" / "entrypoint.sh")],
            env=environment,
            cwd=built.folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    return ServerProcess(process, f"http://127.0.0.1:{port}", folder / "log.txt")


def test_a_container_without_tokens_does_not_start(built: Built, tmp_path: Path, free_port: int) -> None:
    with (
        container(built, tmp_path, free_port) as server,
        pytest.raises(ServingError, match=r"(?s)ended with status 1.*would listen on 0\.0\.0\.0 and answer anybody"),
    ):
        server.wait_ready(300)
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", free_port), timeout=5)


def test_a_worker_refuses_too_where_the_socket_was_opened_for_it(built: Built, tmp_path: Path) -> None:
    """What BentoCloud and `bentoml.serve` do: they start workers by themselves."""
    with socket.create_server(("0.0.0.0", 0)) as listener:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("TUNELOOP")}
        done = subprocess.run(
            [sys.executable, "-m", "_bentoml_impl.worker.service", str(built.folder), "--fd", str(listener.fileno())],
            env={**environment, "BENTOML_HOME": str(tmp_path), "BENTOML_DO_NOT_TRACK": "True"},
            pass_fds=(listener.fileno(),),
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
    assert done.returncode != 0
    assert "would listen on 0.0.0.0 and answer anybody" in done.stderr + done.stdout


def test_the_entry_point_of_the_image_serves(
    built: Built, token_files: dict[Role, Path], tmp_path: Path, free_port: int
) -> None:
    variables = {VARIABLES[role]: str(path) for role, path in token_files.items()}
    with container(built, tmp_path, free_port, BENTOML_HOST="127.0.0.1", **variables) as server:
        server.wait_ready(300)
        answer = httpx.post(f"{server.url}/predict", json=ROW, headers=bearer(TOKENS["predict"]), timeout=120)
        assert answer.status_code == 200, answer.text
        assert json.loads(answer.content)["version"] == "1"
        assert httpx.post(f"{server.url}/predict", json=ROW, timeout=120).status_code == 401
