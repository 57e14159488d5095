"""Values of a project file put in the place of others, as if they stood there: what a search tries."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from typing import Any

from tuneloop.config.document import Document
from tuneloop.config.problems import KeyPath, dotted

_PART = re.compile(r"([^.\[\]]+)|\[([0-9]+)\]")

CANDIDATES, LIMITS = "candidates", "limits"


def read_path(text: str) -> KeyPath | None:
    """The path of `data.transforms[0].name`, also written `data.transforms.0.name`; None where it is none."""
    parts = list(_PART.finditer(text))
    plain = "".join(f".{found[1]}" if found[1] else found[0] for found in parts).removeprefix(".")
    if not parts or plain != text:
        return None
    return tuple(int(found[2] or found[1]) if (found[2] or found[1]).isdecimal() else found[1] for found in parts)


def changed(document: Document, changes: Mapping[str, Any]) -> Document:
    """A document with other values.

    Args:
        document: As it was read; it stays as it is.
        changes: Path as `read_path` reads it to the new value; a section that is None is taken out.

    Raises:
        LookupError: A path leads through something that is neither a mapping nor a list with that place.
    """
    value = copy.deepcopy(document.value)
    for text, new in changes.items():
        path = read_path(text)
        if path is None:
            raise LookupError(f"{text!r} is no path")
        _put(value, path, copy.deepcopy(new))
    return Document(value, document.lines, document.problems)


def _put(value: Any, path: KeyPath, new: Any) -> None:
    for place, part in enumerate(path[:-1]):
        if isinstance(value, list) and isinstance(part, int) and part < len(value):
            if isinstance(value[part], str):
                # A plugin in a list may be named by a text alone.
                value[part] = {"name": value[part]}
            value = value[part]
        elif isinstance(value, dict) and isinstance(part, str):
            if value.get(part) is None:
                value[part] = {}
            value = value[part]
        else:
            raise LookupError(f"there is no {dotted(path[: place + 1])} in the file")
    last = path[-1]
    if isinstance(value, dict) and isinstance(last, str):
        if new is None and len(path) == 1:
            value.pop(last, None)
        else:
            value[last] = new
    elif isinstance(value, list) and isinstance(last, int) and last < len(value):
        value[last] = new
    else:
        raise LookupError(f"there is no {dotted(path)} in the file")


def candidate_documents(document: Document) -> list[Document]:
    """One document for each of `model.candidates`, in which it is the section `model`; none where none are named."""
    model = document.value.get("model")
    listed = model.get(CANDIDATES) if isinstance(model, dict) else None
    found = []
    for place, one in enumerate(listed if isinstance(listed, list) else ()):
        value = {**document.value, "model": one}
        lines = {path: line for path, line in document.lines.items() if path[:1] != ("model",)}
        here: KeyPath = ("model", CANDIDATES, place)
        for path, line in document.lines.items():
            if path[: len(here)] == here:
                lines["model", *path[len(here) :]] = line
        found.append(Document(value, lines, document.problems))
    return found
