"""`prompt`: a text to go on from, as token ids, and where it is known the right answer behind it.

In training, and wherever a model is judged, rows hold the right answer too: the model reads it token by token, and is
asked how probable it finds each. In a request they hold the prompt alone.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import pydantic

from tuneloop.api import (
    SCORED,
    Column,
    Columns,
    Encoded,
    RequestError,
    Row,
    Tensor,
)
from tuneloop.preprocessing.rows import check_columns, check_value
from tuneloop.preprocessing.tokenizing import load_tokenizer, open_tokenizer, save_tokenizer
from tuneloop.preprocessing.writing import COMPLETION, WritingPreprocessor

if TYPE_CHECKING:
    from datasets import Dataset

_SETTINGS = "prompt.json"


class PromptSettings(pydantic.BaseModel):
    """What a base model says about its tokenizer, and about texts it generates."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    tokenizer: str = pydantic.Field(description="A tokenizer in the JSON form of the `tokenizers` library.")
    max_length: int = pydantic.Field(512, ge=8, description="Tokens of prompt and answer together, at most.")
    pad_id: int = pydantic.Field(0, description="The token that fills shorter rows in training.")
    unknown_id: int | None = pydantic.Field(None, description="The token of unknown words.")
    stop_ids: tuple[int, ...] = pydantic.Field((), description="Tokens that end a text; the first is learned.")
    separator: str = pydantic.Field("\n", description="Stands between a prompt and its answer, where rows have both.")
    max_tokens: int = pydantic.Field(64, ge=1, description="Tokens generated where a request does not say how many.")
    chat_template: str | None = pydantic.Field(None, description="A Jinja template: messages to a prompt.")
    template_words: dict[str, str] = pydantic.Field({}, description="Special tokens that the template names.")
    column: str = pydantic.Field("text", description="The request column that holds the prompt.")
    answers: str | None = pydantic.Field(None, description="The column of the right answers; None: prompts hold them.")


class PromptPreprocessor(WritingPreprocessor):
    """Tokenizes prompts, and right answers behind them; rows of one token count are encoded together."""

    name = "prompt"
    max_characters: ClassVar[int] = 100_000
    first_tokens: ClassVar[int] = 8
    """How much of a text to learn is a prompt where one is needed: for golden examples and references of signals."""

    def __init__(self, settings: PromptSettings) -> None:
        super().__init__()
        self.settings: PromptSettings = settings
        self.columns = (Column(settings.column, "prompt"),)
        self._with_answer = (*self.columns, *([Column(settings.answers, "text")] if settings.answers else ()))
        axes = ("batch", "length")
        self.tensors = (
            Tensor("input_ids", "int64", axes, settings.pad_id, settings.unknown_id),
            Tensor("attention_mask", "int64", axes),
            Tensor(SCORED, "int64", axes),
        )
        self.tokenizer = open_tokenizer(settings.tokenizer, self.name, f"column {settings.column!r}")
        self.longest = settings.max_length

    @classmethod
    def fit(cls, options: Mapping[str, Any], columns: Columns, rows: Dataset) -> Self:  # noqa: ARG003
        """The tokenizer is the base model's; nothing is learned from the rows."""
        return cls(PromptSettings(**options, column=columns.inputs["text"], answers=columns.inputs.get(COMPLETION)))

    def check(self, rows: Sequence[Row]) -> list[Row]:
        """Every row has the prompt, a text that is not blank; with the right answer it is a row to be judged by."""
        return [self._check(row, position) for position, row in enumerate(rows)]

    def _check(self, row: Row, position: int) -> Row:
        answers = self.settings.answers
        judged = answers is not None and isinstance(row, dict) and answers in row
        columns = self._with_answer if judged else self.columns
        check_columns(row, columns, position)
        checked = {}
        for column in columns:
            text = check_value(row[column.name], column, position)
            if text is None or (column.kind == "prompt" and not text.strip()):
                raise RequestError("must be a text that is not blank", field=column.name, row=position)
            if len(text) > self.max_characters:
                raise RequestError(
                    f"has {len(text)} characters; at most {self.max_characters} are read",
                    field=column.name,
                    row=position,
                )
            checked[column.name] = text
        return checked

    def encode(self, rows: Sequence[Row]) -> list[Encoded]:
        """Prompt and right answer as inputs `int64 [rows, length]`, one group a length; longer rows are cut.

        A row without an answer is scored whole where rows are texts to learn, and at no place where they are prompts.
        """
        encoded = [self._row(row) for row in rows]
        by_length: dict[int, list[int]] = defaultdict(list)
        for position, (tokens, _) in enumerate(encoded):
            by_length[len(tokens)].append(position)
        groups = []
        for length, positions in sorted(by_length.items()):
            ids = np.array([encoded[position][0] for position in positions], dtype=np.int64)
            scored = np.zeros_like(ids)
            for row, position in enumerate(positions):
                scored[row, encoded[position][1] :] = 1
            inputs = {"input_ids": ids, "attention_mask": np.ones_like(ids), SCORED: scored}
            groups.append(Encoded(tuple(positions), inputs, length))
        return groups

    def _row(self, row: Row) -> tuple[list[int], int]:
        """Tokens, and the first one that is scored."""
        settings, end = self.settings, list(self.settings.stop_ids[:1])
        if settings.answers is None:
            whole = [*self.tokenizer.encode(row[settings.column]).ids, *end]
            return whole[: settings.max_length], 0
        prompt = self.prompt(row[settings.column])
        if settings.answers not in row:
            return prompt[: settings.max_length], settings.max_length
        answer = [*self.tokenizer.encode(row[settings.answers], add_special_tokens=False).ids, *end]
        # Of what is too long the prompt loses its middle first: what is nearest to the answer counts most.
        answer = answer[: max(settings.max_length // 2, settings.max_length - len(prompt))]
        room = settings.max_length - len(answer)
        if len(prompt) > room:
            prompt = [prompt[0], *prompt[len(prompt) - room + 1 :]]
        return [*prompt, *answer], len(prompt)

    def requests(self, rows: Sequence[Row]) -> list[Row]:
        """Rows of the data as clients would send them: without the right answer; of texts to learn the beginning."""
        return [self._request(row) for row in rows]

    def _request(self, row: Row) -> Row:
        column, text = self.settings.column, row[self.settings.column]
        if self.settings.answers is not None:
            return {column: text}
        ends = [end for begin, end in self.tokenizer.encode(text).offsets if end > begin]
        place = min(len(ends) // 2, self.first_tokens)
        return {column: text[: ends[place]] if place < len(ends) and text[: ends[place]].strip() else text[:32]}

    def prompt(self, text: str, *, rendered: bool = False) -> list[int]:
        """The tokens that generation goes on from; a rendered template holds its special tokens itself."""
        if rendered:
            return list(self.tokenizer.encode(text, add_special_tokens=False).ids)
        between = self.settings.separator if self.settings.answers is not None else ""
        return list(self.tokenizer.encode(text + between).ids)

    def save(self, folder: Path) -> None:
        """Write the tokenizer and the settings."""
        save_tokenizer(self.settings, _SETTINGS, folder)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """The inverse of `save`."""
        return cls(PromptSettings(**load_tokenizer(_SETTINGS, folder)))
