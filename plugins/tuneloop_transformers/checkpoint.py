"""Where a checkpoint is, and how it is read: safetensors only, no code from it, no network for a folder."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tuneloop.api import PluginError

_NEVER_READ = frozenset((".bin", ".pt", ".pth", ".ckpt", ".h5", ".msgpack", ".onnx", ".ot", ".tflite", ".md", ".lock"))
"""Weights in forms that are not read, and what is no part of a model."""
_EXPECTED = "config.json, model.safetensors (or model.safetensors.index.json with its parts) and tokenizer.json"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A resolved checkpoint: a folder, or a hub model of some revision."""

    name: str
    revision: str | None
    folder: Path | None

    @property
    def arguments(self) -> dict[str, Any]:
        """Arguments of every `from_pretrained`."""
        if self.folder is not None:
            place: dict[str, Any] = {
                "pretrained_model_name_or_path": str(self.folder),
                "local_files_only": True,
            }
        else:
            place = {"pretrained_model_name_or_path": self.name, "revision": self.revision or "main"}
        return {**place, "trust_remote_code": False}

    @property
    def files(self) -> tuple[Path, ...]:
        """The files of a folder that may be read: configuration, tokenizer and weights; none of a hub model."""
        if self.folder is None:
            return ()
        found = (path for path in sorted(self.folder.iterdir()) if path.is_file() and not path.name.startswith("."))
        return tuple(path for path in found if path.suffix.lower() not in _NEVER_READ)


def find_checkpoint(
    root: Path, name: str, revision: str | None = None, needed: Sequence[str] = ("config.json", "tokenizer.json")
) -> Checkpoint:
    """A folder relative to `root` where there is one, else a hub model; `needed` are files beside the weights.

    Raises:
        PluginError: The text is a path, but no folder is there; or the folder lacks what is needed.
    """
    folder = (root / Path(name).expanduser()).resolve()
    if folder.is_dir():
        _check_folder(name, folder, needed)
        return Checkpoint(name, None, folder)
    # A hub name is `model` or `owner/model`; anything else can only be a path.
    if name.startswith((".", "/", "~")) or name.count("/") > 1 or "\\" in name:
        raise PluginError(
            f"model.checkpoint {name!r}: there is no folder {folder}. Expected a folder with {_EXPECTED}, "
            "or a hub name such as 'owner/model'."
        )
    return Checkpoint(name, revision, None)


def _check_folder(name: str, folder: Path, needed: Sequence[str]) -> None:
    weights = ("model.safetensors", "model.safetensors.index.json")
    missing = [file for file in needed if not (folder / file).is_file()]
    if not any((folder / file).is_file() for file in weights):
        missing.append("model.safetensors")
    if missing:
        held = ", ".join(sorted(path.name for path in folder.iterdir())[:12]) or "nothing"
        raise PluginError(
            f"model.checkpoint {name!r}: the folder {folder} lacks {', '.join(missing)}; it holds: {held}. "
            f"Expected {_EXPECTED}; weights in pickle form (pytorch_model.bin) are not read: convert them with "
            "`AutoModel.from_pretrained(...).save_pretrained(..., safe_serialization=True)`."
        )


@contextlib.contextmanager
def reading(checkpoint: Checkpoint) -> Iterator[None]:
    """Turn what `from_pretrained` raises into one message, and keep its progress bars and reports off the screen."""
    from safetensors import SafetensorError
    from transformers.utils import logging

    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        where = (
            f"folder {checkpoint.folder}"
            if checkpoint.folder
            else "no such folder in the project, and the hub did not give it"
        )
        raise PluginError(
            f"model.checkpoint {checkpoint.name!r} cannot be loaded ({where}): {str(error).strip().splitlines()[0]} "
            f"Expected {_EXPECTED}."
        ) from error
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()
