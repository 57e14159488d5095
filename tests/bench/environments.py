"""Virtual environments of the peers that need other versions than Tuneloop does, from pinned requirements."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import venv
from collections.abc import Sequence
from pathlib import Path

OWN = ("litserve", "mlserver")
"""Peers with a `requirements-NAME.txt`."""
_DONE = "installed.txt"


def peer_python(name: str, folder: Path) -> Path:
    """The interpreter of a peer; installed where `folder` does not hold it yet.

    Raises:
        subprocess.CalledProcessError: pip could not install it; what it said was shown.
    """
    requirements = Path(__file__).with_name(f"requirements-{name}.txt")
    return make_environment(folder / name, ["-r", str(requirements)], requirements.read_bytes())


def make_environment(folder: Path, arguments: Sequence[str], stands_for: bytes, within: Path | None = None) -> Path:
    """An environment in which `pip install ARGUMENTS` has succeeded.

    Args:
        folder: Of the environment.
        arguments: For pip.
        stands_for: It is made anew where these bytes are not those it was made for.
        within: Where pip runs; relative paths in requirements start there.

    Returns:
        Its interpreter.
    """
    python, done = folder.resolve() / "bin" / "python", folder / _DONE
    digest = hashlib.sha256(stands_for).hexdigest()
    if done.is_file() and done.read_text(encoding="utf-8") == digest:
        return python
    venv.create(folder, clear=True, with_pip=True)
    command = [str(python), "-m", "pip", "--disable-pip-version-check", "install", "--quiet", *arguments]
    subprocess.run(command, check=True, stdout=sys.stderr, cwd=within)
    done.write_text(digest, encoding="utf-8")
    return python
