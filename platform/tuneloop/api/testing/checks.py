"""What several contracts check: errors, files, arrays."""

from __future__ import annotations

import importlib
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tuneloop.api.errors import MissingExtraError, TuneloopError
from tuneloop.api.types import Arrays, Tensor

PICKLES = frozenset({".pkl", ".pickle", ".pt", ".pth", ".bin", ".joblib", ".dill"})


def need(module: str, extra: str = "train") -> Any:
    """A library that a contract runs on.

    Raises:
        MissingExtraError: It is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingExtraError("this contract test", module, extra) from error


def dataset(rows: Any) -> Any:
    """Rows as a Hugging Face data set."""
    return need("datasets").Dataset.from_list([dict(row) for row in rows])


def works_or_refuses(call: Callable[[], Any], what: str, error_type: type[Exception] = TuneloopError) -> Any:
    """What the call gives; None where it raises an error of the right type with a message."""
    try:
        return call()
    except error_type as error:
        if not str(error).strip():
            raise AssertionError(f"{what} raised {type(error).__name__} without a message") from error
        return None
    except Exception as error:
        raise AssertionError(
            f"{what} raised {type(error).__name__}: {error}. Raise a {error_type.__name__} of tuneloop.api that says "
            "what is wrong, or cope with it"
        ) from error


def refuses(call: Callable[[], Any], what: str, error_type: type[Exception] = TuneloopError) -> None:
    """The call must raise an error of the right type with a message."""
    answer = works_or_refuses(lambda: (call(),), what, error_type)
    assert answer is None, f"{what} raised nothing and gave {answer[0]!r:.200}; raise a {error_type.__name__}"


def check_saved(folder: Path) -> None:
    """Something was written, and none of it is a pickle."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert files, f"save wrote nothing into {folder}"
    for path in files:
        assert not is_pickle(path), f"save wrote {path.name}, which is a pickle: write JSON and safetensors"


def is_pickle(path: Path) -> bool:
    """Whether a file runs code when it is read: a pickle, or an archive that holds one, as torch writes it."""
    if path.suffix in PICKLES:
        return True
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            return any(Path(name).suffix in PICKLES for name in archive.namelist())
    with path.open("rb") as file:
        start = file.read(2)
    # A safetensors file begins with its header's length, which can be any bytes.
    return path.suffix != ".safetensors" and len(start) == 2 and start[0] == 0x80 and start[1] in range(2, 6)


def check_tensors(arrays: Arrays, tensors: tuple[Tensor, ...], rows: int, what: str) -> None:
    """Arrays have the names, types and shapes that were declared; symbolic axes of one name have one size."""
    names = [tensor.name for tensor in tensors]
    assert sorted(arrays) == sorted(names), f"{what} gave {sorted(arrays)}, declared are {sorted(names)}"
    sizes: dict[str, int] = {"batch": rows}
    for tensor in tensors:
        array = arrays[tensor.name]
        assert isinstance(array, np.ndarray), f"{what}: {tensor.name!r} is a {type(array).__name__}, not a NumPy array"
        assert array.dtype == np.dtype(tensor.dtype), f"{what}: {tensor.name!r} is {array.dtype}, not {tensor.dtype}"
        expected = [sizes.setdefault(s, n) if isinstance(s, str) else s for s, n in zip(tensor.shape, array.shape)]  # noqa: B905
        assert len(array.shape) == len(tensor.shape), f"{what}: {tensor.name!r} has shape {array.shape}"
        assert list(array.shape) == expected, (
            f"{what}: {tensor.name!r} has shape {array.shape}, declared {tensor.shape}"
        )
        assert np.isfinite(array).all(), f"{what}: {tensor.name!r} holds a number that is not finite"


def check_equal(first: Mapping[str, Any], second: Mapping[str, Any], what: str) -> None:
    """Named arrays are equal, bit for bit."""
    assert sorted(first) == sorted(second), f"{what}: names differ: {sorted(first)} and {sorted(second)}"
    for name, array in first.items():
        same = np.array_equal(np.asarray(array), np.asarray(second[name]), equal_nan=np.asarray(array).dtype != object)
        assert same, f"{what}: {name!r} differs"
