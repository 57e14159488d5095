"""`words`: one column of words to token ids in windows, with a mark at the first token of each word."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import pydantic

from tuneloop.api import (
    Arrays,
    Column,
    Columns,
    DataError,
    Encoded,
    MissingExtraError,
    Preprocessor,
    RequestError,
    Row,
    Tensor,
    Words,
)
from tuneloop.preprocessing.rows import check_columns, check_value
from tuneloop.preprocessing.windows import owners, window_starts

if TYPE_CHECKING:
    from datasets import Dataset

_SETTINGS = "words.json"
_TOKENIZER = "tokenizer.json"
FIRST = "first"
"""The input that is 1 at the first token of a word, in the window that reads the word, and 0 elsewhere."""


class WordsSettings(pydantic.BaseModel):
    """What a base model says about its tokenizer."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    tokenizer: str = pydantic.Field(description="A tokenizer in the JSON form of the `tokenizers` library.")
    max_length: int = pydantic.Field(128, ge=8, le=8192, description="Tokens of a window, with its special ones.")
    overlap: int = pydantic.Field(32, ge=0, description="Tokens that two windows of a longer text share.")
    tensors: tuple[str, ...] = pydantic.Field(("input_ids", "attention_mask"), description="The model's inputs.")
    pad_id: int = pydantic.Field(0, description="The token that fills shorter rows in training.")
    unknown_id: int | None = pydantic.Field(None, description="The token of unknown words.")
    column: str = pydantic.Field("tokens", description="The request column that holds the words.")


class WordsPreprocessor(Preprocessor):
    """Tokenizes the words of one column; a text longer than `max_length` tokens is read in several windows.

    Each input is `int64 [batch, windows, length]`. A row's words are given as a list, or as one text that is split.
    """

    name = "words"
    max_words: ClassVar[int] = 4_000
    max_characters: ClassVar[int] = 20_000

    def __init__(self, settings: WordsSettings) -> None:
        super().__init__()
        try:
            from tokenizers import Tokenizer
        except ImportError as error:
            raise MissingExtraError("preprocessor 'words'", "tokenizers", "serve") from error
        self.settings = settings
        self.columns = (Column(settings.column, "words"),)
        axes = ("batch", "windows", "length")
        self.tensors = (
            *(
                Tensor(n, "int64", axes, settings.pad_id, settings.unknown_id)
                if n == "input_ids"
                else Tensor(n, "int64", axes)
                for n in settings.tensors
            ),
            Tensor(FIRST, "int64", axes),
        )
        try:
            self._tokenizer = Tokenizer.from_str(settings.tokenizer)
        except Exception as error:
            raise DataError(f"the tokenizer of column {settings.column!r} cannot be read: {error}") from error
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        if hasattr(self._tokenizer.pre_tokenizer, "add_prefix_space"):
            # Byte-level tokenizers know a word by the space before it.
            self._tokenizer.pre_tokenizer.add_prefix_space = True
        self._before, self._after = _specials(self._tokenizer)
        self._size = settings.max_length - len(self._before) - len(self._after)
        self._overlap = min(settings.overlap, self._size - 1)
        self._unknown = settings.pad_id if settings.unknown_id is None else settings.unknown_id
        self.longest = settings.max_length

    @classmethod
    def fit(cls, options: Mapping[str, Any], columns: Columns, rows: Dataset) -> Self:  # noqa: ARG003
        """The tokenizer is the base model's; nothing is learned from the rows."""
        return cls(WordsSettings(**options, column=columns.inputs["tokens"]))

    def check(self, rows: Sequence[Row]) -> list[Row]:
        """Every row has the one column: a text, or a list of words; both become `Words`."""
        column = self.columns[0]
        checked: list[Row] = []
        for position, row in enumerate(rows):
            check_columns(row, self.columns, position)
            words = self._words(row[column.name], column, position)
            if not words:
                raise RequestError("must hold a word", field=column.name, row=position)
            if len(words) > self.max_words or len(words.text) > self.max_characters:
                raise RequestError(
                    f"is too long; at most {self.max_words} words, {self.max_characters} characters in all, are read",
                    field=column.name,
                    row=position,
                )
            checked.append({column.name: words})
        return checked

    def _words(self, value: Any, column: Column, position: int) -> Words:
        if isinstance(value, Words):
            return value
        if isinstance(value, str):
            # Before it is split: what is refused below must not cost more than it would be worth.
            return Words.split(check_value(value[: self.max_characters + 1], column, position))
        if not isinstance(value, list):
            raise RequestError("must be a text or a list of words", field=column.name, row=position)
        for word in value:
            if not isinstance(word, str) or not word.strip():
                raise RequestError("holds a word that is no text, or blank", field=column.name, row=position)
            check_value(word, column, position)
        return Words.join(value)

    def encode(self, rows: Sequence[Row]) -> list[Encoded]:
        """Inputs `int64 [rows, windows, length]`, one group a number of windows and a length."""
        column = self.settings.column
        encodings = self._tokenizer.encode_batch(
            [list(row[column]) for row in rows], is_pretokenized=True, add_special_tokens=False
        )
        groups: dict[tuple[int, int], list[tuple[int, Arrays]]] = defaultdict(list)
        for position, (row, encoding) in enumerate(zip(rows, encodings, strict=True)):
            inputs = self._inputs(*self._tokens(len(row[column]), encoding))
            shape = inputs[FIRST].shape
            groups[shape[0], shape[1]].append((position, inputs))
        return [
            Encoded(
                tuple(position for position, _ in members),
                {tensor.name: np.stack([inputs[tensor.name] for _, inputs in members]) for tensor in self.tensors},
                length,
            )
            for (_, length), members in sorted(groups.items())
        ]

    def _tokens(self, count: int, encoding: Any) -> tuple[list[int], list[int]]:
        """Token ids, and the place of each word's first one; a word without any token gets the unknown one."""
        by_word: list[list[int]] = [[] for _ in range(count)]
        for token, word in zip(encoding.ids, encoding.word_ids, strict=True):
            by_word[word].append(token)
        ids: list[int] = []
        firsts = []
        for tokens in by_word:
            firsts.append(len(ids))
            ids += tokens or [self._unknown]
        return ids, firsts

    def _inputs(self, ids: list[int], firsts: list[int]) -> Arrays:
        starts = window_starts(len(ids), self._size, self._overlap)
        size = min(len(ids), self._size)
        shift = len(self._before)
        tokens = np.array([[*self._before, *ids[s : s + size], *self._after] for s in starts], dtype=np.int64)
        first = np.zeros_like(tokens)
        for place, window in zip(firsts, owners(firsts, starts, size), strict=True):
            first[window, place - starts[window] + shift] = 1
        found = {FIRST: first}
        for name in self.settings.tensors:
            found[name] = tokens if name == "input_ids" else np.full_like(tokens, name == "attention_mask")
        return found

    def save(self, folder: Path) -> None:
        """Write the tokenizer and the settings."""
        (folder / _TOKENIZER).write_text(self.settings.tokenizer, encoding="utf-8")
        (folder / _SETTINGS).write_text(
            self.settings.model_dump_json(indent=1, exclude={"tokenizer"}) + "\n", encoding="utf-8"
        )

    @classmethod
    def load(cls, folder: Path) -> Self:
        """The inverse of `save`."""
        settings = pydantic.TypeAdapter(dict[str, Any]).validate_json((folder / _SETTINGS).read_bytes())
        return cls(WordsSettings(**settings, tokenizer=(folder / _TOKENIZER).read_text(encoding="utf-8")))


def _specials(tokenizer: Any) -> tuple[list[int], list[int]]:
    """The ids that the tokenizer puts before and behind a text."""
    encoding = tokenizer.encode(["a"], is_pretokenized=True)
    marks = encoding.special_tokens_mask
    ahead = next((i for i, mark in enumerate(marks) if not mark), len(marks))
    behind = next((i for i, mark in enumerate(reversed(marks)) if not mark), 0)
    return encoding.ids[:ahead], encoding.ids[len(marks) - behind :]
