"""`translation`: one text in, the same in another language out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import pydantic

from tuneloop.api import Judging
from tuneloop.tasks.written import WrittenText


class TranslationAnswer(pydantic.BaseModel):
    """The translation, why it ends, and how sure the model was of its tokens."""

    translation: str = pydantic.Field(description="The text in the other language.")
    finish_reason: str = pydantic.Field(
        description="`stop`: the model ended it, or a stop text was met; `length`: the most tokens were generated."
    )
    prompt_tokens: int = pydantic.Field(description="Tokens of the text.")
    completion_tokens: int = pydantic.Field(description="Tokens generated, the one that ends the translation included.")
    confidence: float = pydantic.Field(description="The geometric mean of the probabilities of its tokens, 0 to 1.")


class Translation(WrittenText):
    """A translation of a text, by a model that reads it and then writes (see `tuneloop.api.EncoderDecoderModel`)."""

    name = "translation"
    roles: ClassVar[Mapping[str, str]] = {"text": "The column that holds the text to translate."}
    judged_as: ClassVar[Judging | None] = "text"
    default_metrics = ("chrf", "bleu")
    AnswerModel: ClassVar[type[pydantic.BaseModel]] = TranslationAnswer
