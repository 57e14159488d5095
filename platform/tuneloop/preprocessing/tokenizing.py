"""What the preprocessors of texts share: their tokenizer, the tensors it fills, and how both are kept in a folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pydantic

from tuneloop.api import DataError, MissingExtraError, Tensor

_TOKENIZER = "tokenizer.json"


def open_tokenizer(text: str, preprocessor: str, read: str) -> Any:
    """A tokenizer that neither pads nor cuts.

    Args:
        text: In the JSON form of the `tokenizers` library.
        preprocessor: Whose it is, for messages.
        read: What is read with it, for messages.

    Raises:
        MissingExtraError: `tokenizers` is not installed.
        DataError: The text is no tokenizer.
    """
    try:
        from tokenizers import Tokenizer
    except ImportError as error:
        raise MissingExtraError(f"preprocessor {preprocessor!r}", "tokenizers", "serve") from error
    try:
        tokenizer = Tokenizer.from_str(text)
    except Exception as error:
        raise DataError(f"the tokenizer of {read} cannot be read: {error}") from error
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def input_tensors(names: Sequence[str], axes: tuple[str, ...], pad: int, unknown: int | None) -> tuple[Tensor, ...]:
    """The `int64` inputs of a model that reads tokens; `input_ids` alone has tokens for padding and unknown words."""
    return tuple(
        Tensor(name, "int64", axes, pad, unknown) if name == "input_ids" else Tensor(name, "int64", axes)
        for name in names
    )


def specials(encoding: Any) -> tuple[list[int], list[int]]:
    """The ids that a tokenizer put before and behind a text that it encoded."""
    marks = encoding.special_tokens_mask
    ahead = next((i for i, mark in enumerate(marks) if not mark), len(marks))
    behind = next((i for i, mark in enumerate(reversed(marks)) if not mark), 0)
    return encoding.ids[:ahead], encoding.ids[len(marks) - behind :]


def save_tokenizer(settings: Any, name: str, folder: Path) -> None:
    """Write the tokenizer of settings that have one, and the others as file `name`."""
    (folder / _TOKENIZER).write_text(settings.tokenizer, encoding="utf-8")
    (folder / name).write_text(settings.model_dump_json(indent=1, exclude={"tokenizer"}) + "\n", encoding="utf-8")


def load_tokenizer(name: str, folder: Path) -> dict[str, Any]:
    """The settings that `save_tokenizer` wrote."""
    settings = pydantic.TypeAdapter(dict[str, Any]).validate_json((folder / name).read_bytes())
    return {**settings, "tokenizer": (folder / _TOKENIZER).read_text(encoding="utf-8")}
