"""Which model `tuneloop predict` is to use: a version of the project, an artifact folder, or a Bento."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tuneloop.api import ServingError
from tuneloop.artifact import MANIFEST
from tuneloop.cli.project import load, locate
from tuneloop.config import read_rules
from tuneloop.plugins import as_environment
from tuneloop.serving.device import Device

if TYPE_CHECKING:
    from tuneloop.serving.loader import Loaded

BENTO = "bento.yaml"
_REFERENCE = re.compile(r"(?P<name>[^:@]+)(?:[:@](?P<version>[^:@]+))?")


def open_model(wanted: str, project: Path | None, device: Device) -> Loaded:
    """The model, verified and right on its golden examples.

    Where `TUNELOOP_VERIFY_KEY_FILE` names keys, only a Bento that one of them signed is taken, as by a server: the one
    at the path, or the one the project built of the version.

    Args:
        wanted: `NAME`, `NAME:3`, `NAME@challenger`, a version number or alias, or the path of an artifact or Bento.
        project: As for `locate`; not looked at for a path.
        device: Where it runs.

    Raises:
        ServingError: The path holds no model, the project has another name, or the version may not serve.
        SignatureError: It is not signed as it has to be.
        RegistryError: There is no such version.
    """
    path = Path(wanted).expanduser()
    if (path / BENTO).is_file():
        return _load_bento(path, device)
    if (path / MANIFEST).is_file():
        return _load_artifact(path, device)
    if os.sep in wanted or wanted.startswith("."):
        raise ServingError(f"{wanted} is neither an artifact folder ({MANIFEST}) nor a Bento ({BENTO})")
    from tuneloop.pipeline.delivering.package import bento_home
    from tuneloop.registry import CHAMPION, Registry
    from tuneloop.serving.loader import load_version
    from tuneloop.serving.packaging.bento import bento_folder
    from tuneloop.serving.trust.signature import SIGNATURE, Verifier, read_envelope

    chosen, _ = load(project)
    registry = Registry(chosen)
    version = registry.resolve(version_of(wanted, chosen.name) or CHAMPION).number
    artifact = registry.fetch(version)
    verifier = Verifier.from_environment()
    if verifier is not None:
        bento = bento_folder(bento_home(chosen.state), f"{chosen.name}:{version}")
        verifier.check_bento(bento, model=chosen.name, version=version)
        verifier.check_model(read_envelope(bento / SIGNATURE), artifact.sha256, model=chosen.name, version=version)
    file = locate(project)
    with _honoured({} if file is None else as_environment(read_rules(file))):
        return load_version(artifact.folder, version, sha256=artifact.sha256, device=device)


def _load_artifact(folder: Path, device: Device) -> Loaded:
    from tuneloop.serving.loader import load_version
    from tuneloop.serving.trust.signature import VERIFY_VARIABLE, SignatureError, Verifier

    if Verifier.from_environment() is not None:
        raise SignatureError(f"{folder} is no Bento, so it is not signed, and {VERIFY_VARIABLE} asks for a signature")
    return load_version(folder, "", device=device)


def _load_bento(folder: Path, device: Device) -> Loaded:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    from tuneloop.serving.loader import load_version
    from tuneloop.serving.trust.signature import Verifier

    try:
        said = YAML(typ="safe").load(folder / BENTO)
        model, version = str(said["name"]), str(said["version"])
    except (OSError, YAMLError, KeyError, TypeError) as error:
        raise ServingError(f"{folder / BENTO} does not say which Bento this is: {error}") from error
    verifier = Verifier.from_environment()
    if verifier is not None:
        verifier.check_bento(folder, model=model, version=version)
    return load_version(folder / "src" / "artifact", version, model=model, device=device)


def version_of(wanted: str, project: str) -> str | None:
    """The version that a reference names in a project; None: it names the model alone.

    Raises:
        ServingError: It names another model.
    """
    found = _REFERENCE.fullmatch(wanted)
    if found is None:
        raise ServingError(f"{wanted!r} names no model; write NAME, NAME:3, NAME@challenger, or a path")
    name, version = found["name"], found["version"]
    if name == project:
        return version
    if version is None:
        return name
    raise ServingError(f"{wanted!r} names the model {name!r}; the project here is {project!r}. Choose with --project")


@contextmanager
def _honoured(variables: dict[str, str]) -> Iterator[None]:
    """What the project says of plugins holds while a model is loaded, as it does in a server."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
