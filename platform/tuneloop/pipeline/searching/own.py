"""The values that the project itself has at the paths of a search: where it begins, and what it is compared with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tuneloop.config.changes import read_path
from tuneloop.config.search import Search
from tuneloop.pipeline.searching.drawing import Values, within

if TYPE_CHECKING:
    from tuneloop.config import Project

_ABSENT = object()


def own_values(project: Project, search: Search) -> Values:
    """Path to the project's value, its defaults filled in; paths that it has no option for are left out."""
    written = {
        "model": {"base": project.model.base, **_dumped(project.model.options)},
        "tune": {"strategy": project.tune.strategy, "seed": project.tune.seed, **_dumped(project.tune.options)},
        "export": {
            "format": project.export.format,
            "quantize": _quantize(project),
            **_dumped(project.export.options),
        },
        "data": {"transforms": [{"name": name, **_dumped(given)} for name, given in project.data.transforms]},
    }
    found = {text: _at(written, text) for text in search.space}
    return {text: value for text, value in found.items() if value is not _ABSENT}


def begins(values: Values, search: Search) -> bool:
    """Whether a search can begin with the project's own values: all of them may be drawn."""
    return all(within(search.space[text], value) for text, value in values.items())


def _quantize(project: Project) -> dict[str, Any] | None:
    export = project.export
    if export.quantize_mode is None:
        return None
    return {"mode": export.quantize_mode, "max_loss": export.quantize_max_loss}


def _dumped(options: Any) -> dict[str, Any]:
    return dict(options.model_dump(mode="json"))


def _at(written: Any, text: str) -> Any:
    for part in read_path(text) or ():
        in_list = isinstance(written, list) and isinstance(part, int) and part < len(written)
        if not in_list and not (isinstance(written, dict) and part in written):
            return _ABSENT
        written = written[part]
    return written
