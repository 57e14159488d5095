"""A fitted estimator as two files, without pickle: skops takes it apart, and builds it from known types alone.

skops packs a description and arrays into one archive, names them by memory addresses, and keeps the unused bytes of
trees. Here they become `estimator.json` and `arrays.safetensors`, in which equal estimators give equal bytes.
"""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from tuneloop.api import ArtifactError

DESCRIPTION, ARRAYS = "estimator.json", "arrays.safetensors"
_SCHEMA = "schema.json"


def save_estimator(estimator: Any, folder: Path) -> None:
    """Write it into the folder."""
    import skops.io
    from safetensors.numpy import save_file

    with zipfile.ZipFile(io.BytesIO(skops.io.dumps(estimator))) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    schema = json.loads(members.pop(_SCHEMA))
    numbers: dict[str, str] = {}
    _renumber(schema, numbers)
    arrays = {_name(name, numbers): _plain(name, data) for name, data in members.items()}
    (folder / DESCRIPTION).write_text(json.dumps(schema, separators=(",", ":")), encoding="utf-8")
    save_file({name: np.frombuffer(data, np.uint8) for name, data in sorted(arrays.items())}, folder / ARRAYS)


def load_estimator(folder: Path, cls: type[Any]) -> Any:
    """Read it, if it holds nothing but objects of scikit-learn, NumPy and SciPy.

    Args:
        folder: As `save_estimator` wrote it.
        cls: What the estimator must be.

    Raises:
        ArtifactError: It cannot be read, or holds something else.
    """
    import skops.io

    try:
        content = _packed(folder)
        unknown = skops.io.get_untrusted_types(data=content)
        strange = [name for name in unknown if not name.startswith("sklearn.")]
        if strange:
            raise ArtifactError(f"{folder} holds {', '.join(strange)}: only objects of scikit-learn are loaded")
        estimator = skops.io.loads(content, trusted=unknown)
    except ArtifactError:
        raise
    except Exception as error:
        raise ArtifactError(f"{folder} holds no estimator that can be read: {type(error).__name__}: {error}") from error
    if type(estimator) is not cls:
        raise ArtifactError(f"{folder} holds a {type(estimator).__name__}; the project asks for a {cls.__name__}")
    return estimator


def _packed(folder: Path) -> bytes:
    """The archive that skops reads."""
    from safetensors.numpy import load_file

    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(_SCHEMA, (folder / DESCRIPTION).read_bytes())
        for name, data in load_file(folder / ARRAYS).items():
            archive.writestr(name, data.tobytes())
    return buffer.getvalue()


def _renumber(node: Any, numbers: dict[str, str]) -> None:
    """Replace addresses by their order of appearance, in place."""
    if isinstance(node, list):
        for inner in node:
            _renumber(inner, numbers)
    elif isinstance(node, dict):
        if "__id__" in node:
            node["__id__"] = int(numbers.setdefault(str(node["__id__"]), str(len(numbers) + 1)))
        if isinstance(node.get("file"), str):
            node["file"] = _name(node["file"], numbers)
        for inner in node.values():
            _renumber(inner, numbers)


def _name(name: str, numbers: dict[str, str]) -> str:
    stem, dot, ending = name.partition(".")
    return numbers.setdefault(stem, str(len(numbers) + 1)) + dot + ending


def _plain(name: str, data: bytes) -> bytes:
    """An array of records without the bytes between its fields, which nobody sets."""
    if not name.endswith(".npy"):
        return data
    array = np.load(io.BytesIO(data), allow_pickle=False)
    if not array.dtype.names:
        return data
    plain = np.zeros(array.shape, array.dtype)
    for field in array.dtype.names:
        plain[field] = array[field]
    buffer = io.BytesIO()
    np.save(buffer, plain, allow_pickle=False)
    return buffer.getvalue()
