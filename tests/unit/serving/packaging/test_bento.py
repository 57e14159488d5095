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
from tuneloop.monitoring.store_policy import POLICY_FILE, StorePolicy
from tuneloop.serving.loader import VersionRefusedError
from tuneloop.serving.packaging.bento import bento_folder, build_bento
from tuneloop.serving.packaging.lock import BuildDevice
from tuneloop.serving.packaging.sbom import SBOM
from tuneloop.serving.trust.signature import SIGNATURE, SignatureError, Signer, Verifier

IN_THE_NEW_ENVIRONMENT = """
import sys, json, urllib.request
from importlib.metadata import distributions
from pathlib import Path
from tuneloop.plugins import PluginManager
from tuneloop.serving.server import start_server

bento, folder, port = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
example = json.loads((Path(bento) / "src" / "artifact" / "examples.json").read_text())[0]
with start_server(bento, home=folder / "home", log=folder / "log.txt", port=port) as server:
    server.wait_ready(300)
    body = json.dumps({"rows": [example["row"]]}).encode()
    request = urllib.request.Request(server.url + "/predict", body, {"Content-Type": "application/json"})
    answer = json.load(urllib.request.urlopen(request, timeout=120))
names = sorted(one.name.lower() for one in distributions())
plugins = {record.name: record.status for record in PluginManager().load().records}
print(json.dumps({"answer": answer, "expected": example["answer"], "names": names, "plugins": plugins}))
"""


def test_a_bento_holds_the_artifact_its_lineage_and_nothing_of_training(
    tmp_path: Path, artifacts: Callable[..., Artifact]
) -> None:
    artifact = artifacts(1)
    policy = StorePolicy(retention=60.0, drop_columns=("age",))
    tag = build_bento(artifact, "7", home=tmp_path, policy=policy)
    assert tag == "tiny-income:7"
    folder = bento_folder(tmp_path, tag)
    sealed = Artifact.open(folder / "src" / "artifact", skip=(TRAINING,))
    assert sealed.sha256 == artifact.sha256
    assert not (folder / "src" / "artifact" / TRAINING).exists()
    described = YAML(typ="safe").load(folder / "bento.yaml")
    expected = {"model": "tiny-income", "version": "7", "sha256": artifact.sha256, "device": "cpu"}
    assert described["labels"] == expected
    assert "A tiny model" in (folder / "README.md").read_text()
    lines = (folder / "env" / "python" / "requirements.txt").read_text().split()
    assert [line for line in lines if "torch" in line or "mlflow" in line] == []
    assert all("==" in line or line.startswith("./wheels/tuneloop-") for line in lines)
    assert list((folder / "src" / "wheels").glob("tuneloop-*.whl"))
    assert len([line for line in lines if line.startswith("bentoml==")]) == 1
    assert json.loads((folder / "src" / SBOM).read_text())["metadata"]["component"]["version"] == "7"
    assert not (folder / SIGNATURE).exists()
    assert StorePolicy.from_json((folder / "src" / POLICY_FILE).read_text(), "the Bento") == policy
    # Building again replaces it.
    assert build_bento(artifact, "7", home=tmp_path) == tag
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bentos"]


def instructions(folder: Path) -> list[tuple[str, str]]:
    """The Dockerfile, line by line: instruction and the rest, with continued lines joined."""
    text = (folder / "env" / "docker" / "Dockerfile").read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [(name, " ".join(rest.split())) for name, _, rest in (line.partition(" ") for line in lines)]


@pytest.mark.parametrize(
    ("device", "base", "runtime"),
    [
        ("cpu", f"python:{sys.version_info.major}.{sys.version_info.minor}-slim", "onnxruntime"),
        ("gpu", "nvidia/cuda:13.0.0-cudnn-runtime-ubuntu24.04", "onnxruntime-gpu"),
    ],
)
def test_the_image_is_for_the_device(
    tmp_path: Path, artifacts: Callable[..., Artifact], device: BuildDevice, base: str, runtime: str
) -> None:
    folder = bento_folder(tmp_path, build_bento(artifacts(1), "1", home=tmp_path, device=device))
    lines = instructions(folder)
    assert [rest for name, rest in lines if name == "FROM"] == [f"{base} AS base-container"]
    runs = [rest for name, rest in lines if name == "RUN"]
    # Everything comes as a wheel: nothing is compiled.
    assert not any("build-essential" in run or "git" in run.split() for run in runs)
    assert any("python3-pip" in run for run in runs) == (device == "gpu")
    order = [name for name, rest in lines if name in ("USER", "ENTRYPOINT") or "pip install -r" in rest]
    assert order == ["RUN", "USER", "ENTRYPOINT"]
    assert ("USER", "bentoml") in lines
    assert ("EXPOSE", "3000") in lines
    assert ("COPY", "--chown=bentoml:bentoml ./src/wheels ./src/wheels") in lines
    ((_, entrypoint),) = [line for line in lines if line[0] == "ENTRYPOINT"]
    script = folder / json.loads(entrypoint)[0].removeprefix("/home/bentoml/bento/")
    subprocess.run(["bash", "-n", str(script)], check=True)
    needed = (folder / "env" / "python" / "requirements.txt").read_text().splitlines()
    assert [line.partition("==")[0] for line in needed if line.startswith("onnxruntime")] == [runtime]
    for copied in [rest.split()[-2] for name, rest in lines if name == "COPY"]:
        assert (folder / copied).exists()


def test_a_signed_bento_survives_export_and_import(
    tmp_path: Path, artifacts: Callable[..., Artifact], keys: Callable[[], tuple[Path, Path]]
) -> None:
    private, public = keys()
    verifier = Verifier(public)
    tag = build_bento(artifacts(1), "4", home=tmp_path / "here", signer=Signer(private))
    folder = bento_folder(tmp_path / "here", tag)
    verifier.check_bento(folder, model="tiny-income", version="4")
    # Who signs wants to verify.
    assert "\ncryptography==" in (folder / "env" / "python" / "requirements.txt").read_text()
    for home, command in (("here", ["export", tag, "exported.bento"]), ("there", ["import", "exported.bento"])):
        environment = {**os.environ, "BENTOML_HOME": str(tmp_path / home), "BENTOML_DO_NOT_TRACK": "True"}
        (tmp_path / home).mkdir(exist_ok=True)
        done = subprocess.run(
            [sys.executable, "-m", "bentoml", *command],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=900,
        )
        assert done.returncode == 0, done.stderr
    imported = bento_folder(tmp_path / "there", tag)
    verifier.check_bento(imported, model="tiny-income", version="4")
    (imported / "src" / "service.py").write_text("import os")
    with pytest.raises(SignatureError, match=r"'src/service\.py' was changed"):
        verifier.check_bento(imported, model="tiny-income", version="4")


def test_an_absent_plugin_and_an_unknown_device_are_refused(tmp_path: Path, artifacts: Callable[..., Artifact]) -> None:
    use = PluginUse(distribution="a-stranger", version="1.0", names=("stranger",), serving=True)
    with pytest.raises(VersionRefusedError, match=r"a-stranger 1\.0"):
        build_bento(artifacts(1, plugins=(use,)), "1", home=tmp_path)
    with pytest.raises(ServingError, match="no device 'tpu'"):
        build_bento(artifacts(1), "1", home=tmp_path, device="tpu")  # type: ignore[arg-type]


@pytest.mark.slow
def test_it_serves_in_an_environment_that_holds_only_its_requirements(
    tmp_path: Path,
    artifacts: Callable[..., Artifact],
    keys: Callable[[], tuple[Path, Path]],
    free_port: int,
) -> None:
    private, public = keys()
    tag = build_bento(artifacts(1), "1", home=tmp_path, signer=Signer(private), hashes=True)
    bento = bento_folder(tmp_path, tag)
    lines = (bento / "env" / "python" / "requirements.txt").read_text().splitlines()
    assert all("--hash=sha256:" in line for line in lines)
    venv.create(tmp_path / "venv", with_pip=False)
    python = tmp_path / "venv" / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "-r", str(bento / "env" / "python" / "requirements.txt")], cwd=bento / "src", check=True)
    subprocess.run([*pip[:-3], "check"], check=True)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    environment["TUNELOOP_VERIFY_KEY_FILE"] = str(public)
    done = subprocess.run(
        [python, "-c", IN_THE_NEW_ENVIRONMENT, bento, tmp_path, str(free_port)],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["answer"]["predictions"][0]["label"] == said["expected"]["label"]
    assert "tuneloop" in said["names"]
    assert set(said["plugins"].values()) == {"loaded"}
    assert len(said["plugins"]) >= 10
    assert not {"torch", "transformers", "mlflow", "datasets", "dbos"} & set(said["names"])
