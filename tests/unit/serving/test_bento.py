from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
from collections.abc import Callable
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tuneloop.api import ServingError
from tuneloop.artifact import TRAINING, Artifact, PluginUse
from tuneloop.serving.bento import bento_folder, build_bento, requirements
from tuneloop.serving.loader import VersionRefusedError

IN_THE_NEW_ENVIRONMENT = """
import sys, json, urllib.request
from importlib.metadata import distributions
from pathlib import Path
from tuneloop.plugins import PluginManager
from tuneloop.serving.server import start_server

bento, folder, port = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
example = json.loads((Path(bento) / "src" / "artifact" / "examples.json").read_text())[0]
with start_server(bento, home=folder / "home", log=folder / "log.txt", port=port) as server:
    server.wait_ready(60)
    body = json.dumps({"rows": [example["row"]]}).encode()
    request = urllib.request.Request(server.url + "/predict", body, {"Content-Type": "application/json"})
    answer = json.load(urllib.request.urlopen(request, timeout=30))
names = sorted(one.name.lower() for one in distributions())
plugins = {record.name: record.status for record in PluginManager().load().records}
print(json.dumps({"answer": answer, "expected": example["answer"], "names": names, "plugins": plugins}))
"""


def test_a_bento_holds_the_artifact_its_lineage_and_nothing_of_training(
    tmp_path: Path, artifacts: Callable[..., Artifact]
) -> None:
    artifact = artifacts(1)
    tag = build_bento(artifact, "7", home=tmp_path)
    assert tag == "tiny-income:7"
    folder = bento_folder(tmp_path, tag)
    sealed = Artifact.open(folder / "src" / "artifact", skip=(TRAINING,))
    assert sealed.sha256 == artifact.sha256
    assert not (folder / "src" / "artifact" / TRAINING).exists()
    described = YAML(typ="safe").load(folder / "bento.yaml")
    assert described["labels"] == {"model": "tiny-income", "version": "7", "sha256": artifact.sha256}
    assert "A tiny model" in (folder / "README.md").read_text()
    lines = (folder / "env" / "python" / "requirements.txt").read_text().split()
    assert [line for line in lines if "torch" in line or "mlflow" in line] == []
    assert all("==" in line or line.startswith("./wheels/tuneloop-") for line in lines)
    assert list((folder / "src" / "wheels").glob("tuneloop-*.whl"))
    assert "./src/wheels" in (folder / "env" / "docker" / "Dockerfile").read_text()
    # Building again replaces it.
    assert build_bento(artifact, "7", home=tmp_path) == tag
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bentos"]


def test_the_device_chooses_one_onnxruntime(artifacts: Callable[..., Artifact]) -> None:
    artifact = artifacts(1)
    cpu, carried = requirements(artifact, "cpu")
    gpu, _ = requirements(artifact, "gpu")
    assert [line.partition("==")[0] for line in cpu if line.startswith("onnxruntime")] == ["onnxruntime"]
    assert [line.partition("==")[0] for line in gpu if line.startswith("onnxruntime")] == ["onnxruntime-gpu"]
    assert [one.name for one in carried] == ["tuneloop"]


def test_an_absent_plugin_and_an_unknown_device_are_refused(tmp_path: Path, artifacts: Callable[..., Artifact]) -> None:
    use = PluginUse(distribution="a-stranger", version="1.0", names=("stranger",), serving=True)
    with pytest.raises(VersionRefusedError, match=r"a-stranger 1\.0"):
        build_bento(artifacts(1, plugins=(use,)), "1", home=tmp_path)
    with pytest.raises(ServingError, match="no device 'tpu'"):
        build_bento(artifacts(1), "1", home=tmp_path, device="tpu")  # type: ignore[arg-type]


@pytest.mark.slow
def test_it_serves_in_an_environment_that_holds_only_its_requirements(
    tmp_path: Path, artifacts: Callable[..., Artifact], free_port: int
) -> None:
    bento = bento_folder(tmp_path, build_bento(artifacts(1), "1", home=tmp_path))
    venv.create(tmp_path / "venv", with_pip=False)
    python = tmp_path / "venv" / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "-r", str(bento / "env" / "python" / "requirements.txt")], cwd=bento / "src", check=True)
    subprocess.run([*pip[:-3], "check"], check=True)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(
        [python, "-c", IN_THE_NEW_ENVIRONMENT, bento, tmp_path, str(free_port)],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["answer"]["predictions"][0]["label"] == said["expected"]["label"]
    assert "tuneloop" in said["names"]
    assert set(said["plugins"].values()) == {"loaded"}
    assert len(said["plugins"]) >= 10
    assert not {"torch", "transformers", "mlflow", "datasets", "dbos"} & set(said["names"])
