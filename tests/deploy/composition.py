"""`deploy/compose.yaml` as data, with its variables filled in."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

REPOSITORY = Path(__file__).parents[2]
DEPLOY = REPOSITORY / "deploy"
OURS = ("train", "server", "loop", "mlflow")
"""Services that run in the image of deploy/Dockerfile."""


def composition(**variables: str) -> dict[str, Any]:
    """The file, with `${NAME}`, `${NAME:-default}` and `${NAME:?message}` replaced."""
    text = (DEPLOY / "compose.yaml").read_text()

    def value(found: re.Match[str]) -> str:
        name, default = found["name"], found["default"]
        if name not in variables and default is None:
            raise KeyError(f"{name}: {found['message']}")
        return variables.get(name, default or "")

    pattern = r"\$\{(?P<name>\w+)(?::-(?P<default>[^}]*)|:\?(?P<message>[^}]*))?\}"
    lines = [line if line.lstrip().startswith("#") else re.sub(pattern, value, line) for line in text.splitlines()]
    loaded: dict[str, Any] = YAML(typ="safe").load("\n".join(lines))
    return loaded


def known(**variables: str) -> dict[str, Any]:
    """The file for a project at /srv/project."""
    return composition(**{"TUNELOOP_PROJECT": "/srv/project", "POSTGRES_PASSWORD": "secret", **variables})


def mounts(service: dict[str, Any]) -> list[tuple[str, str]]:
    """Source and target of each volume of a service."""
    found = []
    for volume in service.get("volumes", ()):
        if isinstance(volume, str):
            source, target, *_ = volume.split(":")
            found.append((source, target))
        else:
            found.append((volume["source"], volume["target"]))
    return found


def tuneloop_commands(service: dict[str, Any]) -> list[list[str]]:
    """The arguments of each `tuneloop` call in a service's command."""
    command = service.get("command", [])
    text = command[2] if command[:2] == ["sh", "-c"] else " ".join(command)
    return [part.split()[1:] for part in re.split(r"&&|\|\||[()]", text) if part.split()[:1] == ["tuneloop"]]
