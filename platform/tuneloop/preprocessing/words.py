"""`words`: one column of words to token ids in windows, with a mark at one token of each word."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import numpy as np
import pydantic

from tuneloop.api import (
    Arrays,
    Column,
    Columns,
    Encoded,
    Preprocessor,
    RequestError,
    Row,
    Tensor,
    Words,
)
from tuneloop.preprocessing.rows import check_columns, check_value
from tuneloop.preprocessing.tokenizing import (
    input_tensors,
    load_tokenizer,
    open_tokenizer,
    save_tokenizer,
    specials,
)
from tuneloop.preprocessing.windows import earliest, group_windows, owners, window_starts

if TYPE_CHECKING:
    from datasets import Dataset

_SETTINGS = "words.json"
Mark = Literal["first", "last"]
"""The token of a word at which it is answered, and the name of the input that is 1 there, in the window that reads the
word, and 0 elsewhere."""


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
    mark: Mark = pydantic.Field(
        "first", description="The token of a word that is marked; `last` for a model that sees nothing behind a token."
    )
    space: bool = pydantic.Field(False, description="Whether each word is read with a space before it.")


class WordsPreprocessor(Preprocessor):
    """Tokenizes the words of one column; a text longer than `max_length` tokens is read in several windows.

    Each input is `int64 [batch, windows, length]`. A row's words are given as a list, or as one text that is split.
    """

    name = "words"
    max_words: ClassVar[int] = 4_000
    max_characters: ClassVar[int] = 20_000

    def __init__(self, settings: WordsSettings) -> None:
        super().__init__()
        self.settings = settings
        self.columns = (Column(settings.column, "words"),)
        axes = ("batch", "windows", "length")
        self.tensors = (
            *input_tensors(settings.tensors, axes, settings.pad_id, settings.unknown_id),
            Tensor(settings.mark, "int64", axes),
        )
        self._tokenizer = open_tokenizer(settings.tokenizer, self.name, f"column {settings.column!r}")
        if hasattr(self._tokenizer.pre_tokenizer, "add_prefix_space"):
            # Byte-level tokenizers know a word by the space before it.
            self._tokenizer.pre_tokenizer.add_prefix_space = True
        self._before, self._after = specials(self._tokenizer.encode(["a"], is_pretokenized=True))
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
            [self._spaced(row[column]) for row in rows], is_pretokenized=True, add_special_tokens=False
        )
        found = [
            self._inputs(*self._tokens(len(row[column]), encoding))
            for row, encoding in zip(rows, encodings, strict=True)
        ]
        return group_windows(found, self.tensors)

    def _spaced(self, words: Words) -> list[str]:
        if not self.settings.space:
            return list(words)
        return [word if word[0].isspace() else f" {word}" for word in words]

    def _tokens(self, count: int, encoding: Any) -> tuple[list[int], list[int]]:
        """Token ids, and the place of each word's marked one; a word without any token gets the unknown one."""
        by_word: list[list[int]] = [[] for _ in range(count)]
        for token, word in zip(encoding.ids, encoding.word_ids, strict=True):
            by_word[word].append(token)
        ids: list[int] = []
        places = []
        for tokens in by_word:
            begin = len(ids)
            ids += tokens or [self._unknown]
            places.append(begin if self.settings.mark == "first" else len(ids) - 1)
        return ids, places

    def _inputs(self, ids: list[int], places: list[int]) -> Arrays:
        starts = window_starts(len(ids), self._size, self._overlap)
        size = min(len(ids), self._size)
        shift = len(self._before)
        tokens = np.array([[*self._before, *ids[s : s + size], *self._after] for s in starts], dtype=np.int64)
        marks = np.zeros_like(tokens)
        # What sees nothing behind a token reads it where most stands before it.
        owner = owners if self.settings.mark == "first" else earliest
        for place, window in zip(places, owner(places, starts, size), strict=True):
            marks[window, place - starts[window] + shift] = 1
        found: Arrays = {self.settings.mark: marks}
        for name in self.settings.tensors:
            found[name] = tokens if name == "input_ids" else np.full_like(tokens, name == "attention_mask")
        return found

    def save(self, folder: Path) -> None:
        """Write the tokenizer and the settings."""
        save_tokenizer(self.settings, _SETTINGS, folder)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """The inverse of `save`."""
        return cls(WordsSettings(**load_tokenizer(_SETTINGS, folder)))
