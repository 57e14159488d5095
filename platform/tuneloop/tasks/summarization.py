"""`summarization`: one text in, what it says in few words out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import pydantic

from tuneloop.api import Judging
from tuneloop.tasks.written import WrittenText


class SummarizationAnswer(pydantic.BaseModel):
    """The summary, why it ends, and how sure the model was of its tokens."""

    summary: str = pydantic.Field(description="What the text says, in few words.")
    finish_reason: str = pydantic.Field(
        description="`stop`: the model ended it, or a stop text was met; `length`: the most tokens were generated."
    )
    prompt_tokens: int = pydantic.Field(description="Tokens of the text.")
    completion_tokens: int = pydantic.Field(description="Tokens generated, the one that ends the summary included.")
    confidence: float = pydantic.Field(description="The geometric mean of the probabilities of its tokens, 0 to 1.")


class Summarization(WrittenText):
    """A summary of a text, by a model that reads it and then writes (see `tuneloop.api.EncoderDecoderModel`)."""

    name = "summarization"
    roles: ClassVar[Mapping[str, str]] = {"text": "The column that holds the text to summarize."}
    judged_as: ClassVar[Judging | None] = "text"
    default_metrics = ("rouge_l", "rouge1", "rouge2")
    AnswerModel: ClassVar[type[pydantic.BaseModel]] = SummarizationAnswer
