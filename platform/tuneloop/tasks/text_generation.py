"""`text-generation`: the beginning of a text in, its continuation out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import pydantic
from numpy.typing import NDArray

from tuneloop.api import Columns, DataError, Judging
from tuneloop.tasks.written import LIKELIHOOD, WrittenText

if TYPE_CHECKING:
    from datasets import Dataset

__all__ = ["LIKELIHOOD", "TextGeneration", "TextGenerationAnswer"]


class TextGenerationAnswer(pydantic.BaseModel):
    """The text that was generated, why it ends, and how sure the model was of its tokens."""

    text: str = pydantic.Field(description="The generated text, without the prompt.")
    finish_reason: str = pydantic.Field(
        description="`stop`: the model ended it, or a stop text was met; `length`: the most tokens were generated."
    )
    prompt_tokens: int = pydantic.Field(description="Tokens of the prompt.")
    completion_tokens: int = pydantic.Field(description="Tokens generated, the one that ends the text included.")
    confidence: float = pydantic.Field(description="The geometric mean of the probabilities of its tokens, 0 to 1.")


class TextGeneration(WrittenText):
    """A text that goes on from another one.

    With a `label` column, the model learns to answer the text with it; without one, it learns the texts themselves.
    The model's `logits` are log-probabilities `[n, places, 1]` of the right tokens (see `tuneloop.api.DecoderModel`).
    Answers are made token by token, by what serves: `answers` tells of outputs alone how probable they are.
    """

    name = "text-generation"
    roles: ClassVar[Mapping[str, str]] = {"text": "The column that holds the prompt, or the texts to learn."}
    judged_as: ClassVar[Judging | None] = "generation"
    default_metrics = ("perplexity",)
    AnswerModel = TextGenerationAnswer

    @classmethod
    def fit(cls, columns: Columns, rows: Dataset, known: Sequence[str] = ()) -> Self:  # noqa: ARG003
        """Nothing is learned from the rows."""
        if columns.target is None:
            raise DataError(f"task {cls.name!r} needs a column of texts: name it as `text` in data.columns")
        return cls()

    def references(self, values: Sequence[Any]) -> NDArray[Any]:
        """The right texts, `object [n]`."""
        found = np.empty(len(values), dtype=object)
        found[:] = [str(value) for value in values]
        return found
