"""`text`: one text column to token ids, with the tokenizer the base model was trained with."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import pydantic

from tuneloop.api import (
    Column,
    Columns,
    Encoded,
    Preprocessor,
    Row,
)
from tuneloop.preprocessing.rows import check_columns, check_text
from tuneloop.preprocessing.tokenizing import input_tensors, load_tokenizer, open_tokenizer, save_tokenizer

if TYPE_CHECKING:
    from datasets import Dataset

_SETTINGS = "text.json"


class TextSettings(pydantic.BaseModel):
    """What a base model says about its tokenizer."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    tokenizer: str = pydantic.Field(description="A tokenizer in the JSON form of the `tokenizers` library.")
    max_length: int = pydantic.Field(128, ge=8, le=8192, description="Longer texts are cut to this many tokens.")
    tensors: tuple[str, ...] = pydantic.Field(("input_ids", "attention_mask"), description="The model's inputs.")
    pad_id: int = pydantic.Field(0, description="The token that fills shorter rows in training.")
    unknown_id: int | None = pydantic.Field(None, description="The token of unknown words.")
    column: str = pydantic.Field("text", description="The request column that holds the text.")


class TextPreprocessor(Preprocessor):
    """Tokenizes one text column; rows of one token count are encoded together."""

    name = "text"
    max_characters: ClassVar[int] = 100_000

    def __init__(self, settings: TextSettings) -> None:
        super().__init__()
        self.settings = settings
        self.columns = (Column(settings.column, "text"),)
        self.tensors = input_tensors(settings.tensors, ("batch", "length"), settings.pad_id, settings.unknown_id)
        self._tokenizer = open_tokenizer(settings.tokenizer, self.name, f"column {settings.column!r}")
        self._tokenizer.enable_truncation(settings.max_length)
        self.longest = settings.max_length

    @classmethod
    def fit(cls, options: Mapping[str, Any], columns: Columns, rows: Dataset) -> Self:  # noqa: ARG003
        """The tokenizer is the base model's; nothing is learned from the rows."""
        return cls(TextSettings(**options, column=columns.inputs["text"]))

    def check(self, rows: Sequence[Row]) -> list[Row]:
        """Every row has the one column, with a text that is not blank."""
        column = self.columns[0]
        checked: list[Row] = []
        for position, row in enumerate(rows):
            check_columns(row, self.columns, position)
            text = check_text(row[column.name], column, position, self.max_characters)
            checked.append({column.name: text})
        return checked

    def encode(self, rows: Sequence[Row]) -> list[Encoded]:
        """Token ids `int64 [rows, length]`, one group a length."""
        encodings = self._tokenizer.encode_batch_fast([row[self.settings.column] for row in rows])
        by_length: dict[int, list[int]] = defaultdict(list)
        for position, encoding in enumerate(encodings):
            by_length[len(encoding.ids)].append(position)
        groups = []
        for length, positions in sorted(by_length.items()):
            ids = np.array([encodings[position].ids for position in positions], dtype=np.int64)
            inputs = {tensor.name: self._input(tensor.name, ids) for tensor in self.tensors}
            groups.append(Encoded(tuple(positions), inputs, length))
        return groups

    def _input(self, name: str, ids: Any) -> Any:
        if name == "input_ids":
            return ids
        return np.ones_like(ids) if name == "attention_mask" else np.zeros_like(ids)

    def save(self, folder: Path) -> None:
        """Write the tokenizer and the settings."""
        save_tokenizer(self.settings, _SETTINGS, folder)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """The inverse of `save`."""
        return cls(TextSettings(**load_tokenizer(_SETTINGS, folder)))
