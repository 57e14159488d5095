"""The software bill of materials of a Bento: CycloneDX 1.6, in JSON (ECMA-424)."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import Distribution
from typing import TYPE_CHECKING, Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import tuneloop
from tuneloop.api import MissingExtraError
from tuneloop.artifact import Artifact
from tuneloop.serving.packaging.lock import Lock

if TYPE_CHECKING:
    from cyclonedx.model.bom import Bom
    from cyclonedx.model.component import Component

SBOM = "sbom.cdx.json"
"""The file in a Bento's sources."""

_MOST_LICENSE = 100
"""Characters: some distributions put the whole text where its name belongs."""


def make_sbom(artifact: Artifact, version: str, lock: Lock, wheels: Mapping[str, str], files: Iterable[str]) -> bytes:
    """The bill: the model with its files, every pinned package, every wheel carried, and who needs whom.

    Args:
        artifact: The model.
        version: Its number.
        lock: The packages.
        wheels: Name of each carried distribution to the SHA-256 of its wheel.
        files: The artifact's files that the Bento holds.

    Raises:
        MissingExtraError: cyclonedx-python-lib is not installed.
    """
    try:
        from cyclonedx.model.bom import Bom
        from cyclonedx.model.component import Component, ComponentType
        from cyclonedx.output.json import JsonV1Dot6
    except ImportError as error:
        raise MissingExtraError("the bill of materials", "cyclonedx-python-lib", "train") from error
    manifest = artifact.manifest
    model = Component(
        name=manifest.model,
        version=version,
        type=ComponentType.MACHINE_LEARNING_MODEL,
        bom_ref=f"model:{manifest.model}:{version}",
        description=f"{manifest.task.name}, tuned from {manifest.base_model} by {manifest.strategy}",
        hashes=[_sha256(artifact.sha256)],
        components=[_file(name, manifest.files[name].sha256) for name in sorted(files)],
        properties=_lineage(artifact),
    )
    packages: dict[str, tuple[Distribution, Component]] = {
        **{str(canonicalize_name(p.name)): (p.installed, _package(p.name, p.installed, p.sha256)) for p in lock.pins},
        **{str(canonicalize_name(d.name)): (d, _package(d.name, d, wheels.get(d.name))) for d in lock.carried},
    }
    # Of equal content equal numbers.
    identity = "\n".join([artifact.sha256, version, *(str(one.bom_ref.value) for _, one in packages.values())])
    bom = Bom(components=[one for _, one in packages.values()], serial_number=uuid.uuid5(uuid.NAMESPACE_OID, identity))
    bom.metadata.component = model
    bom.metadata.tools.components.add(
        Component(name="tuneloop", version=tuneloop.__version__, type=ComponentType.APPLICATION)
    )
    _relate(bom, model, packages)
    return JsonV1Dot6(bom).output_as_string(indent=1).encode() + b"\n"


def _lineage(artifact: Artifact) -> list[Any]:
    """Where the model comes from, as properties."""
    from cyclonedx.model import Property

    manifest = artifact.manifest
    teacher = manifest.lineage.teacher
    said = {
        "data": manifest.data.fingerprint,
        "pipeline": manifest.lineage.pipeline,
        "parent": manifest.lineage.parent,
        "teacher": teacher.sha256 if teacher else None,
    }
    return [Property(name=f"tuneloop:{name}", value=value) for name, value in said.items() if value is not None]


def _relate(bom: Bom, model: Component, packages: Mapping[str, tuple[Distribution, Component]]) -> None:
    bom.register_dependency(model, [component for _, component in packages.values()])
    for distribution, component in packages.values():
        needed = {packages[name][1] for name in _needs(distribution) if name in packages}
        bom.register_dependency(component, needed - {component})


def _needs(distribution: Distribution) -> Iterator[str]:
    for line in distribution.requires or ():
        need = Requirement(line)
        if need.marker is None or need.marker.evaluate({"extra": ""}):
            yield canonicalize_name(need.name)


def _package(name: str, distribution: Distribution, sha256: str | None) -> Component:
    from cyclonedx.model.component import Component, ComponentType
    from packageurl import PackageURL

    purl = PackageURL("pypi", name=canonicalize_name(name), version=distribution.version)
    return Component(
        name=name,
        version=distribution.version,
        type=ComponentType.LIBRARY,
        bom_ref=purl.to_string(),
        purl=purl,
        licenses=_licenses(distribution),
        hashes=[] if sha256 is None else [_sha256(sha256)],
    )


def _licenses(distribution: Distribution) -> list[Any]:
    """What the distribution's metadata says: an SPDX expression or name, else what its classifiers say."""
    from cyclonedx.contrib.license.factories import LicenseFactory

    metadata, factory = distribution.metadata.json, LicenseFactory()
    for name in (metadata.get("license_expression"), metadata.get("license")):
        if isinstance(name, str) and name.strip() and len(name) <= _MOST_LICENSE and "\n" not in name.strip():
            return [factory.make_from_string(name.strip())]
    prefix = "License :: "
    classifiers = distribution.metadata.get_all("Classifier") or []
    listed = [one.rpartition(" :: ")[2] for one in classifiers if one.startswith(prefix)]
    return [factory.make_with_name(one) for one in listed]


def _file(name: str, sha256: str) -> Component:
    from cyclonedx.model.component import Component, ComponentType

    return Component(name=name, type=ComponentType.FILE, bom_ref=f"file:{name}", hashes=[_sha256(sha256)])


def _sha256(content: str) -> Any:
    from cyclonedx.model import HashAlgorithm, HashType

    return HashType(alg=HashAlgorithm.SHA_256, content=content)
