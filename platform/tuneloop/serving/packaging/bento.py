"""An artifact as a Bento: everything `bentoml serve` needs, and nothing that belongs to training."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Collection
from pathlib import Path

from tuneloop.api import RowTransform, ServingError
from tuneloop.artifact import CARD, TRAINING, Artifact, sha256_file, write_atomic
from tuneloop.monitoring.store_policy import KEEP_ALL, POLICY_FILE, StorePolicy
from tuneloop.serving.loader import serving_plugins
from tuneloop.serving.packaging.lock import RUNTIMES, BuildDevice, make_lock, with_hashes
from tuneloop.serving.packaging.sbom import SBOM, make_sbom
from tuneloop.serving.packaging.wheel import repack
from tuneloop.serving.trust.signature import SIGNATURE, Signer, hash_folder

_REQUIREMENTS = "requirements.txt"
_SERVICE = '''"""Serves the artifact beside this file; written by `tuneloop build`."""

from pathlib import Path

from tuneloop.serving.service import create_service

service = create_service(Path(__file__).parent / "artifact", {version!r}, module=__name__, built_for={device!r})
'''
_DESCRIPTION = """\
# {model}, version {version}

Serve it: `bentoml serve {model}:{version}`.

Its requirements hold all it needs: `cd src && pip install -r ../env/python/requirements.txt`. The ONNX Runtime among
them is for: {device}. `src/sbom.cdx.json` lists all that is inside (CycloneDX 1.6), `env/docker/Dockerfile` makes an
image of it.

It listens on 127.0.0.1, in a container on all addresses; there it starts only with tokens. Name a file of tokens, one a
line, by `TUNELOOP_PREDICT_TOKEN_FILE`, `TUNELOOP_FEEDBACK_TOKEN_FILE` and `TUNELOOP_ADMIN_TOKEN_FILE` (metrics, API
pages), or say `TUNELOOP_INSECURE=1`. `TUNELOOP_VERIFY_KEY_FILE` names the keys that must have signed what it serves.

What clients may ask of a worker has limits: `TUNELOOP_BODY_SECONDS` (20) for a request to arrive,
`TUNELOOP_DEADLINE_SECONDS` (30) until its work must have begun, `TUNELOOP_QUEUE_ROWS` (1024) that may wait, and
`TUNELOOP_HELD_BYTES` (134217728) of large bodies in memory at one time.

Predictions are kept where `TUNELOOP_STORE_URL` says; what of them, and for how long, `src/store.json` says, unless
`TUNELOOP_STORE_POLICY` does. Where inputs are hashed, `TUNELOOP_STORE_KEY_FILE` names the key.

{card}"""


def build_bento(
    artifact: Artifact,
    version: str,
    *,
    home: Path,
    device: BuildDevice = "cpu",
    signer: Signer | None = None,
    hashes: bool = False,
    extras: Collection[str] = (),
    policy: StorePolicy = KEEP_ALL,
) -> str:
    """Package an artifact. An older Bento of the same version is replaced.

    Args:
        artifact: The verified artifact.
        version: Its number in the registry; the Bento's version.
        home: `BENTOML_HOME` that gets the Bento.
        device: Which ONNX Runtime its requirements name.
        signer: Signs it; None: it is not signed.
        hashes: Whether its requirements carry hashes; pip is asked for them, and asks its index.
        extras: What its server needs beyond the model, of `lock.EXTRAS`: `s3` for a channel in an object store.
        policy: What its server stores of predictions, wherever it runs; the key of hashes stays outside.

    Returns:
        The tag, such as `desk:3`.

    Raises:
        ServingError: Something that is needed to serve is not installed, or BentoML refuses.
        VersionRefusedError: A plugin the artifact needs is not installed in the version it names.
    """
    if device not in RUNTIMES:
        raise ServingError(f"there is no device {device!r}; known: {', '.join(RUNTIMES)}")
    plugins = serving_plugins(artifact.manifest.plugins)
    tag = f"{artifact.manifest.model}:{version}"
    home.mkdir(parents=True, exist_ok=True)
    # BentoML reads no build file below a hidden folder, such as a project's `.tuneloop`; but the finished Bento must
    # lie on the file system of its home, to be moved there in one step.
    with (
        tempfile.TemporaryDirectory(prefix="tuneloop-bento-") as build,
        tempfile.TemporaryDirectory(prefix=".building-", dir=home) as aside,
    ):
        # Who signs wants to verify, and the server needs a library for that.
        wanted = {*extras, "sign"} if signer is not None else set(extras)
        sounds = any(column.kind == "audio" for column in artifact.manifest.signature.columns)
        if sounds and importlib.util.find_spec("soundfile") is not None:
            # Without it a server reads WAV alone.
            wanted.add("audio")
        if any(column.kind == "image" for column in artifact.manifest.signature.columns):
            wanted.add("image")
        for part in artifact.manifest.transforms:
            transform = plugins.get("transform", part.name)
            if issubclass(transform, RowTransform) and transform.extra is not None:
                wanted.add(transform.extra)
        (Path(build) / POLICY_FILE).write_text(policy.as_json() + "\n", encoding="utf-8")
        locked = _fill(Path(build), artifact, version, device, extras=wanted, hashes=hashes)
        _run_bentoml(Path(build), version, Path(aside))
        built = bento_folder(Path(aside), tag)
        if not (built / "bento.yaml").is_file():
            raise ServingError(f"BentoML reported success, but there is no Bento at {built}")
        # BentoML adds itself once more, without a hash.
        (built / "env" / "python" / _REQUIREMENTS).write_text(locked, encoding="utf-8")
        if signer is not None:
            files = hash_folder(built, SIGNATURE)
            (built / SIGNATURE).write_bytes(signer.sign(files, artifact.manifest.model, version))
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


def _fill(
    folder: Path, artifact: Artifact, version: str, device: BuildDevice, *, extras: Collection[str], hashes: bool
) -> str:
    """Write the build folder; gives the requirements, with hashes where they were asked for."""
    shutil.copytree(artifact.folder, folder / "artifact", ignore=_leave_out(artifact.folder))
    (folder / "service.py").write_text(_SERVICE.format(version=version, device=device), encoding="utf-8")
    lock = make_lock(artifact, device, extras)
    if hashes:
        lock = with_hashes(lock)
    wheels = {one.name: repack(one, folder / "wheels") for one in lock.carried}
    digests = {name: sha256_file(wheel) for name, wheel in wheels.items()}
    # BentoML reads these, and would not accept itself with a hash.
    pins = [pin.line for pin in lock.pins] + [f"./wheels/{wheel.name}" for wheel in wheels.values()]
    (folder / _REQUIREMENTS).write_text("\n".join(pins) + "\n", encoding="utf-8")
    held = [name for name in artifact.manifest.files if not name.startswith(f"{TRAINING}/")]
    (folder / SBOM).write_bytes(make_sbom(artifact, version, lock, digests, held))
    (folder / "bentofile.yaml").write_text(_bentofile(artifact, version, device), encoding="utf-8")
    lines = lock.lines({f"./wheels/{wheel.name}": digests[name] for name, wheel in wheels.items()})
    return "\n".join(lines) + "\n"


def _bentofile(artifact: Artifact, version: str, device: BuildDevice) -> str:
    """The build file. JSON is YAML: no second writer of YAML is needed."""
    manifest = artifact.manifest
    card = (artifact.folder / CARD).read_text(encoding="utf-8") if CARD in manifest.files else ""
    options = {
        "service": "service:service",
        "name": manifest.model,
        "description": _DESCRIPTION.format(model=manifest.model, version=version, device=device, card=card),
        "labels": {"model": manifest.model, "version": version, "sha256": artifact.sha256, "device": device},
        "include": ["service.py", _REQUIREMENTS, SBOM, POLICY_FILE, "artifact/**", "wheels/**"],
        "python": {"requirements_txt": f"./{_REQUIREMENTS}", "lock_packages": False},
    }
    return json.dumps(options)


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
