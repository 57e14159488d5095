"""`passages`: a question and a context to token ids in windows, with a mark at the tokens of the context."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import pydantic
from numpy.typing import NDArray

from tuneloop.api import (
    Arrays,
    Column,
    Columns,
    Encoded,
    Passage,
    Preprocessor,
    RequestError,
    Row,
    Tensor,
)
from tuneloop.preprocessing.rows import check_columns, check_text
from tuneloop.preprocessing.tokenizing import (
    input_tensors,
    load_tokenizer,
    open_tokenizer,
    save_tokenizer,
    specials,
)
from tuneloop.preprocessing.windows import group_windows, window_starts

if TYPE_CHECKING:
    from datasets import Dataset

_SETTINGS = "passages.json"
CONTEXT = "context"
"""The input that is 1 at a token of the context, in the window that reads it, and 0 elsewhere."""


class PassagesSettings(pydantic.BaseModel):
    """What a base model says about its tokenizer."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    tokenizer: str = pydantic.Field(description="A tokenizer in the JSON form of the `tokenizers` library.")
    max_length: int = pydantic.Field(384, ge=16, le=8192, description="Tokens of a window, with question and specials.")
    overlap: int = pydantic.Field(128, ge=0, description="Tokens of a longer context that two windows share.")
    tensors: tuple[str, ...] = pydantic.Field(("input_ids", "attention_mask"), description="The model's inputs.")
    pad_id: int = pydantic.Field(0, description="The token that fills shorter rows in training.")
    unknown_id: int | None = pydantic.Field(None, description="The token of unknown words.")
    question: str = pydantic.Field("question", description="The request column that holds the question.")
    context: str = pydantic.Field("context", description="The request column that holds the context.")


@dataclass(frozen=True, slots=True)
class _Frame:
    """The special tokens around a question and a context, and the type of each part."""

    before: tuple[int, ...]
    between: tuple[int, ...]
    after: tuple[int, ...]
    types: tuple[int, int]

    def __len__(self) -> int:
        return len(self.before) + len(self.between) + len(self.after)


class PassagesPreprocessor(Preprocessor):
    """Tokenizes a question and a context; a context that does not fit is read in several windows, none of it is cut.

    Each input is `int64 [batch, windows, length]`; every window begins with the question.
    """

    name = "passages"
    max_characters: ClassVar[int] = 20_000
    max_question: ClassVar[int] = 2_000

    def __init__(self, settings: PassagesSettings) -> None:
        super().__init__()
        self.settings = settings
        self.columns = (Column(settings.question, "text"), Column(settings.context, "text"))
        axes = ("batch", "windows", "length")
        self.tensors = (
            *input_tensors(settings.tensors, axes, settings.pad_id, settings.unknown_id),
            Tensor(CONTEXT, "int64", axes),
        )
        self._tokenizer = open_tokenizer(settings.tokenizer, self.name, f"column {settings.context!r}")
        self._frame = _frame(self._tokenizer)
        self._longest_question = settings.max_length // 2 - len(self._frame)
        self.longest = settings.max_length

    @classmethod
    def fit(cls, options: Mapping[str, Any], columns: Columns, rows: Dataset) -> Self:  # noqa: ARG003
        """The tokenizer is the base model's; nothing is learned from the rows."""
        return cls(PassagesSettings(**options, question=columns.inputs["question"], context=columns.inputs["context"]))

    def check(self, rows: Sequence[Row]) -> list[Row]:
        """Every row has both columns, with texts that are not blank; the context becomes a `Passage`."""
        checked: list[Row] = []
        limits = (self.max_question, self.max_characters)
        for position, row in enumerate(rows):
            check_columns(row, self.columns, position)
            found: dict[str, Any] = {}
            for column, most in zip(self.columns, limits, strict=True):
                text = check_text(row[column.name], column, position, most)
                found[column.name] = text if isinstance(text, Passage) else self._passage(text)
                if not found[column.name].ids:
                    raise RequestError("holds nothing that the model reads", field=column.name, row=position)
            asked = len(found[self.settings.question].ids)
            if asked > self._longest_question:
                raise RequestError(
                    f"has {asked} tokens; at most {self._longest_question} are read, half of a window",
                    field=self.settings.question,
                    row=position,
                )
            # The context alone stays a `Passage`: it is what answers are a part of.
            found[self.settings.question] = str(found[self.settings.question])
            checked.append(found)
        return checked

    def _passage(self, text: str) -> Passage:
        encoding = self._tokenizer.encode(text, add_special_tokens=False)
        passage = Passage(text)
        passage.ids = encoding.ids
        passage.offsets = np.array(encoding.offsets, dtype=np.int64).reshape(-1, 2)
        return passage

    def encode(self, rows: Sequence[Row]) -> list[Encoded]:
        """Inputs `int64 [rows, windows, length]`, one group a number of windows and a length."""
        column = self.settings.question
        questions = [self._tokenizer.encode(row[column], add_special_tokens=False).ids for row in rows]
        found = [
            self._inputs(question, row[self.settings.context].ids)
            for question, row in zip(questions, rows, strict=True)
        ]
        return group_windows(found, self.tensors)

    def _inputs(self, question: Sequence[int], context: Sequence[int]) -> Arrays:
        frame = self._frame
        room = self.settings.max_length - len(frame) - len(question)
        starts = window_starts(len(context), room, min(self.settings.overlap, room // 2))
        size = min(len(context), room)
        ahead = [*frame.before, *question, *frame.between]
        tokens = np.array([[*ahead, *context[s : s + size], *frame.after] for s in starts], dtype=np.int64)
        mark = np.zeros_like(tokens)
        mark[:, len(ahead) : len(ahead) + size] = _owned(len(context), starts, size)
        found = {CONTEXT: mark}
        for name in self.settings.tensors:
            if name == "input_ids":
                found[name] = tokens
            elif name == "attention_mask":
                found[name] = np.ones_like(tokens)
            else:
                found[name] = np.full_like(tokens, frame.types[0])
                found[name][:, len(ahead) :] = frame.types[1]
        return found

    def save(self, folder: Path) -> None:
        """Write the tokenizer and the settings."""
        save_tokenizer(self.settings, _SETTINGS, folder)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """The inverse of `save`."""
        return cls(PassagesSettings(**load_tokenizer(_SETTINGS, folder)))


def _owned(count: int, starts: Sequence[int], size: int) -> NDArray[np.int64]:
    """1 where a window reads a token: of those that hold it the one where it is furthest from a cut edge.

    Returns:
        `int64 [windows, size]`; each of the `count` tokens is 1 in exactly one window.
    """
    places, begin = np.arange(count)[None, :], np.array(starts)[:, None]
    margin = np.minimum(places - begin, begin + size - 1 - places)
    owner = margin.argmax(axis=0)
    return np.stack([owner[s : s + size] == window for window, s in enumerate(starts)]).astype(np.int64)


def _frame(tokenizer: Any) -> _Frame:
    """The special tokens that a tokenizer puts around two texts; around one, twice, where it knows no pairs."""
    pair = tokenizer.encode("a", "a")
    parts = pair.sequence_ids
    if None in parts:
        first, second = parts.index(0), parts.index(1)
        ahead = [i for i, part in enumerate(parts) if part is None and i < first]
        middle = [i for i, part in enumerate(parts) if part is None and first < i < second]
        behind = [i for i, part in enumerate(parts) if part is None and i > second]
        before, between, after = (tuple(pair.ids[i] for i in places) for places in (ahead, middle, behind))
        return _Frame(before, between, after, (pair.type_ids[first], pair.type_ids[second]))
    ahead_ids, behind_ids = specials(tokenizer.encode("a"))
    return _Frame(tuple(ahead_ids), tuple(behind_ids), tuple(behind_ids), (0, 0))
