"""`automatic-speech-recognition` by a model that reads the sound and then writes the text token by token."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pydantic
from numpy.typing import NDArray

from tuneloop.api import Answer, Columns, DataError, Judging
from tuneloop.tasks.transcripts import normal_transcript, read_transcripts, transcript_error
from tuneloop.tasks.written import WrittenText

if TYPE_CHECKING:
    from datasets import Dataset


class WrittenSpeechAnswer(pydantic.BaseModel):
    """What is said in the sound, why the text ends, and how sure the model was of its tokens."""

    text: str = pydantic.Field(description="What is said.")
    finish_reason: str = pydantic.Field(
        description="`stop`: the model ended it, or a stop text was met; `length`: the most tokens were generated."
    )
    prompt_tokens: int = pydantic.Field(description="Tokens of what was read: 0, as a sound has none.")
    completion_tokens: int = pydantic.Field(description="Tokens generated, the one that ends the text included.")
    confidence: float = pydantic.Field(description="The geometric mean of the probabilities of its tokens, 0 to 1.")


class WrittenSpeech(WrittenText):
    """The text that is spoken in a sound (see `tuneloop.api.EncoderDecoderModel`).

    Texts are judged without case and punctuation.
    """

    name = "automatic-speech-recognition"
    roles: ClassVar[Mapping[str, str]] = {"audio": "The column that holds the sound: base64 of a sound file."}
    judged_as: ClassVar[Judging | None] = "text"
    default_metrics = ("wer", "cer")
    AnswerModel: ClassVar[type[pydantic.BaseModel]] = WrittenSpeechAnswer

    @classmethod
    def blank(cls, value: Any) -> bool:
        """Whether there is no text."""
        return not read_transcripts(value)

    @classmethod
    def examine(cls, columns: Columns, rows: Dataset) -> None:
        """Transcripts are texts: the model learns them token by token.

        Raises:
            DataError: One is something else; names the row.
        """
        for row, value in enumerate(rows[str(columns.target)]):
            if value is not None and not isinstance(value, str):
                raise DataError(f"row {row}, column {columns.target!r}: {value!r:.80} is no text")

    def references(self, values: Sequence[Any]) -> NDArray[Any]:
        """The texts that are right, `object [n]` of tuples, as they are compared."""
        found = np.empty(len(values), dtype=object)
        found[:] = [tuple(normal_transcript(text) for text in read_transcripts(value)) for value in values]
        return found

    def told(self, text: str) -> str:
        """Without the white space that its first token begins with."""
        return text.strip()

    def said(self, answer: Answer) -> str:
        """Without case and punctuation."""
        return normal_transcript(answer["text"])

    def decision(self, answer: Answer) -> Any:
        """The text, also where nothing was heard: a label is held against it."""
        return answer["text"] or "(none)"

    def error(self, answer: Answer, truth: Any) -> float:
        """0 where the text is a right one but for case and punctuation, 1 where it is not."""
        return transcript_error(answer["text"], truth)
