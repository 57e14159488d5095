"""An artifact as a Bento: everything `bentoml serve` needs, and nothing that belongs to training."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import Literal

from tuneloop.api import MissingExtraError, ServingError
from tuneloop.artifact import CARD, TRAINING, Artifact, write_atomic
from tuneloop.serving.loader import serving_plugins
from tuneloop.serving.requirements import closure
from tuneloop.serving.wheel import is_from_index, repack

Device = Literal["cpu", "gpu"]

_RUNTIME = {"cpu": "onnxruntime", "gpu": "onnxruntime-gpu"}
_SERVICE = '''"""Serves the artifact beside this file; written by `tuneloop build`."""

from pathlib import Path

from tuneloop.serving.service import create_service

service = create_service(Path(__file__).parent / "artifact", {version!r}, module=__name__)
'''
_DESCRIPTION = """\
# {model}, version {version}

Serve it: `bentoml serve {model}:{version}`.

Its requirements hold all it needs: `cd src && pip install -r ../env/python/requirements.txt`.

{card}"""


def build_bento(artifact: Artifact, version: str, *, home: Path, device: Device = "cpu") -> str:
    """Package an artifact. An older Bento of the same version is replaced.

    Args:
        artifact: The verified artifact.
        version: Its number in the registry; the Bento's version.
        home: `BENTOML_HOME` that gets the Bento.
        device: Which ONNX Runtime its requirements name.

    Returns:
        The tag, such as `desk:3`.

    Raises:
        ServingError: Something that is needed to serve is not installed, or BentoML refuses.
        VersionRefusedError: A plugin the artifact needs is not installed in the version it names.
    """
    if device not in _RUNTIME:
        raise ServingError(f"there is no device {device!r}; known: {', '.join(_RUNTIME)}")
    serving_plugins(artifact.manifest.plugins)
    tag = f"{artifact.manifest.model}:{version}"
    home.mkdir(parents=True, exist_ok=True)
    # BentoML reads no build file below a hidden folder, such as a project's `.tuneloop`; but the finished Bento must
    # lie on the file system of its home, to be moved there in one step.
    with (
        tempfile.TemporaryDirectory(prefix="tuneloop-bento-") as build,
        tempfile.TemporaryDirectory(prefix=".building-", dir=home) as aside,
    ):
        _fill(Path(build), artifact, version, device)
        _run_bentoml(Path(build), version, Path(aside))
        built = bento_folder(Path(aside), tag)
        if not (built / "bento.yaml").is_file():
            raise ServingError(f"BentoML reported success, but there is no Bento at {built}")
        _put(built, bento_folder(home, tag), Path(aside))
    return tag


def _put(built: Path, place: Path, aside: Path) -> None:
    """Move a finished Bento to its place: a server that starts meanwhile sees the old one or the new, never a part."""
    place.parent.mkdir(parents=True, exist_ok=True)
    if place.exists():
        place.rename(aside / "replaced")
    built.rename(place)
    write_atomic(place.parent / "latest", place.name.encode())


def bento_folder(home: Path, tag: str) -> Path:
    """Where the Bento of a tag lies in a `BENTOML_HOME`."""
    name, _, version = tag.partition(":")
    return home / "bentos" / name / version


def requirements(artifact: Artifact, device: Device = "cpu") -> tuple[list[str], list[Distribution]]:
    """What serving an artifact needs: pinned requirements found on an index, and distributions to carry as wheels.

    Raises:
        ServingError: Something that is needed is not installed.
    """
    roots = {"tuneloop": {"serve", _installed_runtime()}}
    roots |= {
        use.distribution: set() for use in artifact.manifest.plugins if use.serving and use.distribution != "tuneloop"
    }
    pins: list[str] = []
    carried: list[Distribution] = []
    for key, found in sorted(closure(roots).items()):
        if key == "tuneloop" or not is_from_index(found):
            carried.append(found)
        elif key in _RUNTIME.values():
            pins.append(f"{_RUNTIME[device]}=={found.version}")
        else:
            pins.append(f"{found.name}=={found.version}")
    return pins, carried


def _installed_runtime() -> str:
    """The extra whose ONNX Runtime is installed here: its requirements are the ones that can be read."""
    for extra, name in _RUNTIME.items():
        try:
            distribution(name)
        except PackageNotFoundError:
            continue
        return extra
    raise MissingExtraError("building a Bento", "onnxruntime", "cpu")


def _fill(folder: Path, artifact: Artifact, version: str, device: Device) -> None:
    """Write the build folder."""
    shutil.copytree(artifact.folder, folder / "artifact", ignore=_leave_out(artifact.folder))
    (folder / "service.py").write_text(_SERVICE.format(version=version), encoding="utf-8")
    pins, carried = requirements(artifact, device)
    wheels = [repack(one, folder / "wheels") for one in carried]
    lines = [*pins, *(f"./wheels/{wheel.name}" for wheel in wheels)]
    (folder / "requirements.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    manifest = artifact.manifest
    card = (artifact.folder / CARD).read_text(encoding="utf-8") if CARD in manifest.files else ""
    labels = {"model": manifest.model, "version": version, "sha256": artifact.sha256}
    options = {
        "service": "service:service",
        "name": manifest.model,
        "description": _DESCRIPTION.format(model=manifest.model, version=version, card=card),
        "labels": labels,
        "include": ["service.py", "requirements.txt", "artifact/**", "wheels/**"],
        "python": {"requirements_txt": "./requirements.txt", "lock_packages": False},
    }
    # JSON is YAML: no second writer of YAML is needed.
    (folder / "bentofile.yaml").write_text(json.dumps(options), encoding="utf-8")


def _leave_out(root: Path) -> Callable[[str, list[str]], set[str]]:
    def ignore(folder: str, _: list[str]) -> set[str]:
        return {TRAINING} if Path(folder) == root else set()

    return ignore


def _run_bentoml(folder: Path, version: str, home: Path) -> None:
    """Build in a process of its own: BentoML keeps the home and the imported service for the life of a process."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TUNELOOP_")}
    environment |= {"BENTOML_HOME": str(home.resolve()), "BENTOML_DO_NOT_TRACK": "True"}
    command = [sys.executable, "-m", "bentoml", "build", "--version", version, "--output", "tag", "."]
    try:
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=300
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ServingError(f"`bentoml build` failed: {error}") from error
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip())[-2000:]
        raise ServingError(f"`bentoml build` ended with status {done.returncode}:\n{said}")
