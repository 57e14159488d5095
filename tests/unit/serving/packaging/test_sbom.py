from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from tuneloop.artifact import Artifact
from tuneloop.serving.packaging.lock import BuildDevice, Lock, make_lock
from tuneloop.serving.packaging.sbom import make_sbom

FILES = ("model.onnx", "examples.json")


def bill(artifact: Artifact, lock: Lock) -> tuple[str, dict[str, Any]]:
    text = make_sbom(artifact, "3", lock, {"tuneloop": "a" * 64}, FILES).decode()
    return text, json.loads(text)


@pytest.mark.parametrize("device", ["cpu", "gpu"])
def test_it_is_cyclonedx_and_lists_every_package_once(artifacts: Callable[..., Artifact], device: BuildDevice) -> None:
    artifact = artifacts(1)
    lock = make_lock(artifact, device)
    text, found = bill(artifact, lock)
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    assert found["specVersion"] == "1.6"
    listed = sorted((one["name"], one["version"]) for one in found["components"])
    carried = [(one.name, one.version) for one in lock.carried]
    assert listed == sorted([(pin.name, pin.version) for pin in lock.pins] + carried)
    assert all(one["purl"] == one["bom-ref"] for one in found["components"])
    assert any(one.get("licenses") for one in found["components"])


def test_it_holds_the_model_with_its_files(artifacts: Callable[..., Artifact]) -> None:
    artifact = artifacts(1)
    _, found = bill(artifact, make_lock(artifact))
    model = found["metadata"]["component"]
    assert (model["type"], model["name"], model["version"]) == ("machine-learning-model", "tiny-income", "3")
    assert model["hashes"] == [{"alg": "SHA-256", "content": artifact.sha256}]
    lineage = {one["name"]: one["value"] for one in model["properties"]}
    assert lineage == {"tuneloop:data": "none", "tuneloop:pipeline": "none"}
    hashes = {one["name"]: one["hashes"][0]["content"] for one in model["components"]}
    assert hashes == {name: artifact.manifest.files[name].sha256 for name in FILES}


def test_hashes_and_relations_are_in_it(artifacts: Callable[..., Artifact]) -> None:
    artifact = artifacts(1)
    lock = make_lock(artifact)
    hashed = Lock(tuple(replace(pin, sha256="b" * 64) for pin in lock.pins), lock.carried)
    text, found = bill(artifact, hashed)
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    by_name = {one["name"]: one for one in found["components"]}
    assert by_name["numpy"]["hashes"][0]["content"] == "b" * 64
    assert by_name["tuneloop"]["hashes"][0]["content"] == "a" * 64
    needs = {one["ref"]: one.get("dependsOn", []) for one in found["dependencies"]}
    assert by_name["starlette"]["bom-ref"] in needs[by_name["bentoml"]["bom-ref"]]
    assert set(needs["model:tiny-income:3"]) == {one["bom-ref"] for one in found["components"]}


def test_equal_content_has_an_equal_number(artifacts: Callable[..., Artifact]) -> None:
    artifact = artifacts(1)
    lock = make_lock(artifact)
    numbers = {bill(artifact, lock)[1]["serialNumber"] for _ in range(2)}
    assert len(numbers) == 1
    assert numbers != {bill(artifact, make_lock(artifact, "gpu"))[1]["serialNumber"]}
