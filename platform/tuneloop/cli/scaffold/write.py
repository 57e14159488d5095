"""Fill the templates and write them into a new folder."""

from __future__ import annotations

import json
import shutil
from importlib.resources import files
from pathlib import Path
from string import Template

from tuneloop.api import TuneloopError
from tuneloop.cli.scaffold.kinds import TEMPLATES
from tuneloop.cli.scaffold.names import Names

_SUFFIX = ".tmpl"


def write_plugin(names: Names, kind: str, parent: Path) -> Path:
    """Write the project of a plugin into a new folder below `parent`, named after its distribution.

    Raises:
        TuneloopError: The folder is already there, or cannot be written.
    """
    folder = parent / names.distribution
    contents = render(names, kind)
    if folder.exists():
        raise TuneloopError(
            f"{folder} already exists, and nothing in it is overwritten. Move it away, or take another name."
        )
    try:
        folder.mkdir(parents=True)
        for path, text in contents.items():
            file = folder / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise TuneloopError(f"{folder} cannot be written: {error}") from error
    return folder


def render(names: Names, kind: str) -> dict[str, str]:
    """Every file of the project by its path."""
    template = TEMPLATES[kind]
    values = {
        "distribution": names.distribution,
        "module": names.module,
        "plugin": names.plugin,
        "cls": names.cls,
        "variable": f"{names.variable}_FILE",
        "kind": template.title,
        "usage": template.usage.format(plugin=names.plugin),
        "requirement": template.needs,
        "test_requirements": json.dumps(["hypothesis>=6.140", "pytest>=9.0", *template.tests_need]),
    }
    root = files("tuneloop.cli.scaffold") / "templates"
    contents = {}
    for part, place in (("common", ""), (kind, f"src/{names.module}/")):
        for source in (root / part).iterdir():
            name = source.name.removesuffix(_SUFFIX)
            path = f"tests/{name}" if name.startswith("test_") else f"{place}{name}"
            contents[path] = Template(source.read_text(encoding="utf-8")).substitute(values)
    return contents
