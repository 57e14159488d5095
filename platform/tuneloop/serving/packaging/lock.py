"""The lock of a Bento: every distribution its server needs, at the version that is installed and tested here."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import Literal

from packaging.utils import canonicalize_name

from tuneloop.api import MissingExtraError, ServingError
from tuneloop.artifact import Artifact
from tuneloop.serving.packaging.requirements import closure
from tuneloop.serving.packaging.wheel import is_from_index

BuildDevice = Literal["cpu", "gpu"]

RUNTIMES: Mapping[BuildDevice, str] = {"cpu": "onnxruntime", "gpu": "onnxruntime-gpu"}
"""Device to the distribution of ONNX Runtime for it: they share one folder, so there is exactly one."""

EXTRAS = ("audio", "image", "personal", "postgres", "s3", "sign")
"""Extras of tuneloop that a server may need beside `serve` and its runtime."""

_PIP_SECONDS = 600


@dataclass(frozen=True)
class Pin:
    """One distribution that an index has.

    Attributes:
        name: Its name.
        version: Its version.
        installed: What is installed here. For another device it is the runtime of this one.
        sha256: Of the file that pip would install on this platform; None: not asked for.
    """

    name: str
    version: str
    installed: Distribution
    sha256: str | None = None

    @property
    def line(self) -> str:
        """As a requirement without a hash."""
        return f"{self.name}=={self.version}"


@dataclass(frozen=True)
class Lock:
    """Pins, and the distributions that no index has: the Bento carries their wheels."""

    pins: tuple[Pin, ...]
    carried: tuple[Distribution, ...]

    def lines(self, wheels: Mapping[str, str]) -> list[str]:
        """The requirements file, with hashes where they are known.

        Args:
            wheels: Path of each carried wheel to its SHA-256.
        """
        hashed = all(pin.sha256 for pin in self.pins)
        lines = [f"{pin.line} --hash=sha256:{pin.sha256}" if hashed else pin.line for pin in self.pins]
        return [*lines, *(f"{path} --hash=sha256:{found}" if hashed else path for path, found in wheels.items())]


def make_lock(artifact: Artifact, device: BuildDevice = "cpu", extras: Collection[str] = ()) -> Lock:
    """What serving an artifact needs.

    Args:
        artifact: Names the plugins that its server loads.
        device: Which ONNX Runtime is needed.
        extras: Those of `EXTRAS` whose libraries the server needs too.

    Raises:
        ServingError: Something that is needed is not installed, or there is no such extra.
    """
    unknown = sorted(set(extras) - set(EXTRAS))
    if unknown:
        raise ServingError(f"a server has no use for {', '.join(map(repr, unknown))}; known: {', '.join(EXTRAS)}")
    roots: dict[str, set[str]] = {"tuneloop": {"serve", _installed_runtime(), *extras}}
    roots |= {
        use.distribution: set() for use in artifact.manifest.plugins if use.serving and use.distribution != "tuneloop"
    }
    pins: list[Pin] = []
    carried: list[Distribution] = []
    for key, found in sorted(closure(roots).items()):
        if key == "tuneloop" or not is_from_index(found):
            carried.append(found)
        else:
            name = RUNTIMES[device] if key in RUNTIMES.values() else found.name
            pins.append(Pin(name, found.version, found))
    return Lock(tuple(pins), tuple(carried))


def with_hashes(lock: Lock) -> Lock:
    """The lock with the hash of the file that pip would install here for each pin; asks pip, and pip its index.

    Raises:
        ServingError: pip cannot find one of them, or gives no hash.
    """
    with tempfile.TemporaryDirectory(prefix="tuneloop-lock-") as folder:
        listed = Path(folder) / "requirements.txt"
        listed.write_text("".join(f"{pin.line}\n" for pin in lock.pins), encoding="utf-8")
        command = [sys.executable, "-m", "pip", "install", "--dry-run", "--no-deps", "--ignore-installed", "--quiet"]
        try:
            done = subprocess.run(
                [*command, "--report", "-", "-r", str(listed)],
                cwd=folder,
                capture_output=True,
                text=True,
                check=False,
                timeout=_PIP_SECONDS,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise ServingError(f"pip could not be asked for hashes: {error}") from error
    if done.returncode:
        raise ServingError(f"pip could not be asked for hashes; it said:\n{done.stderr.strip()[-2000:]}")
    known = _reported(done.stdout)
    absent = [pin.line for pin in lock.pins if canonicalize_name(pin.name) not in known]
    if absent:
        raise ServingError(f"pip gave no SHA-256 for {', '.join(absent)}; build without hashes")
    return replace(lock, pins=tuple(replace(pin, sha256=known[canonicalize_name(pin.name)]) for pin in lock.pins))


def _reported(report: str) -> dict[str, str]:
    """Canonical name to hash, from pip's installation report (version 1)."""
    try:
        items = json.loads(report)["install"]
        pairs = [
            (canonicalize_name(item["metadata"]["name"]), item["download_info"]["archive_info"].get("hashes", {}))
            for item in items
        ]
    except (ValueError, KeyError, TypeError) as error:
        raise ServingError(f"pip's report cannot be read: {error!r}; pip 22.2 or newer is needed") from error
    return {name: hashes["sha256"] for name, hashes in pairs if "sha256" in hashes}


def _installed_runtime() -> str:
    """The extra whose ONNX Runtime is installed here: its requirements are the ones that can be read."""
    for extra, name in RUNTIMES.items():
        try:
            distribution(name)
        except PackageNotFoundError:
            continue
        return extra
    raise MissingExtraError("building a Bento", "onnxruntime", "cpu")
