"""What the preprocessors of encoder-decoder models share: any source, and the answer to it token by token."""

from __future__ import annotations

from abc import abstractmethod
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import pydantic

from tuneloop.api import (
    SCORED,
    TARGET_IDS,
    Arrays,
    Column,
    Encoded,
    RequestError,
    Row,
    Tensor,
)
from tuneloop.preprocessing.rows import check_value
from tuneloop.preprocessing.tokenizing import open_tokenizer
from tuneloop.preprocessing.writing import WritingPreprocessor


class TargetSettings(pydantic.BaseModel):
    """What a base model says about the texts it writes."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    tokenizer: str = pydantic.Field(description="Of the texts, in the JSON form of the `tokenizers` library.")
    start_ids: tuple[int, ...] = pydantic.Field(min_length=1, description="Tokens that every text begins with.")
    forced: int = pydantic.Field(
        0, ge=0, description="How many of them, the last ones, count in the length by which beams are compared."
    )
    stop_ids: tuple[int, ...] = pydantic.Field(min_length=1, description="They end a text; the first is learned.")
    pad_id: int = pydantic.Field(0, description="The token that fills shorter rows in training.")
    max_length: int = pydantic.Field(128, ge=4, description="Tokens of a text, at most; those it begins with count.")
    max_tokens: int = pydantic.Field(64, ge=1, description="Tokens generated where a request does not say how many.")
    forbidden_ids: tuple[int, ...] = pydantic.Field((), description="Tokens that are never generated.")
    forbidden_first_ids: tuple[int, ...] = pydantic.Field((), description="Tokens that no text begins with.")


class SourceSettings(pydantic.BaseModel):
    """The settings of any preprocessor with a source: the texts, and the columns; kinds of sources add theirs."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    chat_template: ClassVar[str | None] = None
    template_words: ClassVar[Mapping[str, str]] = {}

    target: TargetSettings
    column: str = pydantic.Field("text", description="The request column that holds the source.")
    answers: str | None = pydantic.Field(None, description="The column of the right answers, in training.")

    @property
    def stop_ids(self) -> tuple[int, ...]:
        """Tokens that end a text."""
        return self.target.stop_ids

    @property
    def max_tokens(self) -> int:
        """Tokens generated where a request does not say how many."""
        return self.target.max_tokens


class SourcePreprocessor(WritingPreprocessor):
    """A source, and where it is known the right answer to it; rows of one length of both are encoded together.

    A kind of source has `check_sources` and `encode_sources`, and hands the tensors of its inputs to `__init__`.
    """

    max_characters: ClassVar[int] = 100_000
    settings: SourceSettings

    def __init__(self, settings: SourceSettings, column: Column, tensors: Sequence[Tensor]) -> None:
        super().__init__()
        self.settings = settings
        self.columns = (column,)
        self._answer = Column(settings.answers, "text") if settings.answers is not None else None
        axes, target = ("batch", "places"), settings.target
        self.source_tensors = tuple(tensors)
        self.tensors = (*tensors, Tensor(TARGET_IDS, "int64", axes, target.pad_id), Tensor(SCORED, "int64", axes))
        self.tokenizer = open_tokenizer(target.tokenizer, self.name, "the texts that are written")
        sizes = [size for tensor in tensors for size in tensor.shape if isinstance(size, int)]
        self.longest = max(target.max_length, *sizes, 0)

    @abstractmethod
    def check_sources(self, rows: Sequence[Row]) -> list[Row]:
        """As `check`, for rows that hold the source alone."""

    @abstractmethod
    def encode_sources(self, rows: Sequence[Row]) -> list[Encoded]:
        """As `encode`, the inputs of the source alone."""

    def check(self, rows: Sequence[Row]) -> list[Row]:
        """Every row has a valid source; with the right answer it is a row to be judged by."""
        name = None if self._answer is None else self._answer.name
        answers = [row.get(name) if isinstance(row, dict) and name in row else None for row in rows]
        sources = [
            {key: value for key, value in row.items() if key != name} if isinstance(row, dict) else row for row in rows
        ]
        checked = self.check_sources(sources)
        return [
            self._with_answer(source, answer, position) if isinstance(row, dict) and name in row else source
            for position, (row, source, answer) in enumerate(zip(rows, checked, answers, strict=True))
        ]

    def _with_answer(self, source: Row, answer: Any, position: int) -> Row:
        assert self._answer is not None
        text = check_value(answer, self._answer, position)
        if text is None:
            raise RequestError("must be a text", field=self._answer.name, row=position)
        if len(text) > self.max_characters:
            said = f"has {len(text)} characters; at most {self.max_characters} are read"
            raise RequestError(said, field=self._answer.name, row=position)
        return {**source, self._answer.name: text}

    def encode(self, rows: Sequence[Row]) -> list[Encoded]:
        """The source's inputs, and `target_ids` and `scored` `int64 [rows, places]`; longer answers are cut.

        A row without the right answer has the tokens that texts begin with, and none that is scored.
        """
        name = None if self._answer is None else self._answer.name
        targets = [self.target(row[name]) if name is not None and name in row else self.start for row in rows]
        groups = []
        for group in self.encode_sources(rows):
            by_places: dict[int, list[int]] = defaultdict(list)
            for member, position in enumerate(group.rows):
                by_places[len(targets[position])].append(member)
            for places, members in sorted(by_places.items()):
                chosen = tuple(group.rows[member] for member in members)
                ids = np.array([targets[position] for position in chosen], dtype=np.int64)
                scored = np.ones_like(ids)
                scored[:, : len(self.start)] = 0
                source = {key: array[members] for key, array in group.inputs.items()}
                groups.append(
                    replace(
                        group,
                        rows=chosen,
                        inputs={**source, TARGET_IDS: ids, SCORED: scored},
                        length=group.length or places,
                    )
                )
        return groups

    @property
    def start(self) -> list[int]:
        """The tokens that every text begins with."""
        return list(self.settings.target.start_ids)

    def target(self, text: str) -> list[int]:
        """The tokens of a right answer: those it begins with, its own, and the one that ends it."""
        settings = self.settings.target
        own = [*self.tokenizer.encode(text, add_special_tokens=False).ids, settings.stop_ids[0]]
        return [*self.start, *own][: settings.max_length]

    def source(self, row: Row) -> Arrays:
        """The source's inputs of one checked row, with a first axis of 1."""
        name = None if self._answer is None else self._answer.name
        (group,) = self.encode_sources([{key: value for key, value in row.items() if key != name}])
        return dict(group.inputs)

    def requests(self, rows: Sequence[Row]) -> list[Row]:
        """Rows of the data as clients would send them: the source alone."""
        return [{self.settings.column: row[self.settings.column]} for row in rows]
