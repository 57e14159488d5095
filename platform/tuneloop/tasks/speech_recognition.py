"""`automatic-speech-recognition`: one sound in, what is said in it out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import pydantic
from numpy.typing import NDArray

from tuneloop.api import (
    NO_PLACE,
    Answer,
    Arrays,
    Columns,
    DataError,
    Judging,
    LossName,
    Predictions,
    Task,
)
from tuneloop.tasks.transcripts import BLANK, normal_transcript, read_transcripts, spelt, transcript_error
from tuneloop.tasks.written_speech import WrittenSpeech

if TYPE_CHECKING:
    from datasets import Dataset


class SpeechRecognitionAnswer(pydantic.BaseModel):
    """What is said in the sound, and how sure the model was."""

    text: str = pydantic.Field(description="What is said.")
    confidence: float = pydantic.Field(
        description="The geometric mean of the probabilities of what the text is made of, 0 to 1."
    )


class AutomaticSpeechRecognition(Task):
    """The text that is spoken in a sound, by a model that gives each frame a character (CTC).

    `logits` are `[n, frames, characters]`, with `ABSENT` in frames that hold no sound; the first character is the
    blank, the others are those of the training texts. Texts are judged without case and punctuation; answers have both
    as far as the training texts do. `beams` texts are followed at once; 1: each frame says its most probable character.
    """

    name = "automatic-speech-recognition"
    roles: ClassVar[Mapping[str, str]] = {"audio": "The column that holds the sound: base64 of a sound file."}
    loss: ClassVar[LossName] = "ctc"
    judged_as: ClassVar[Judging | None] = "text"
    default_metrics = ("wer", "cer")
    AnswerModel: ClassVar[type[pydantic.BaseModel]] = SpeechRecognitionAnswer

    def __init__(self, characters: Sequence[str], beams: int = 1) -> None:
        super().__init__()
        self.characters = tuple(characters)
        self.beams = beams
        self._places = {character: place for place, character in enumerate(self.characters)}

    @classmethod
    def trained_by(cls, loss: LossName | None) -> type[Task]:
        """This form, or that of models that write the text token by token."""
        return WrittenSpeech if loss == WrittenSpeech.loss else cls

    @classmethod
    def fit(cls, columns: Columns, rows: Dataset, known: Sequence[str] = ()) -> Self:
        """The characters of the texts in sorted order, after those already known."""
        if columns.target is None:
            raise DataError(f"task {cls.name!r} needs a column of transcripts: add `label:` to data.columns")
        texts = (text for value in rows[columns.target] for text in read_transcripts(value))
        found = {character for text in texts for character in text}
        if not found:
            raise DataError(f"column {columns.target!r} holds no transcript at all")
        first = tuple(known) or (BLANK,)
        return cls([*first, *sorted(found - set(first))])

    @classmethod
    def units(cls, values: Sequence[Any]) -> list[Any]:  # noqa: ARG003
        """None: texts are no labels."""
        return []

    @classmethod
    def blank(cls, value: Any) -> bool:
        """Whether there is no text."""
        return not read_transcripts(value)

    @classmethod
    def like(cls, label: Any, known: Any) -> Any:
        """A text, or texts, as the data's own transcripts are written."""
        texts = read_transcripts(label)
        return texts if isinstance(known, list) else texts[0]

    @classmethod
    def examine(cls, columns: Columns, rows: Dataset) -> None:
        """Transcripts are texts, or lists of texts.

        Raises:
            DataError: One is something else; names the row.
        """
        for row, value in enumerate(rows[str(columns.target)]):
            try:
                read_transcripts(value)
            except DataError as error:
                raise DataError(f"row {row}, column {columns.target!r}: {error}") from error

    def state(self) -> dict[str, Any]:
        """The characters, by position, and how many texts are followed at once."""
        return {"labels": list(self.characters), "beams": self.beams}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Task:
        """The inverse of `state`, in either form."""
        return cls(state["labels"], int(state.get("beams", 1))) if state else WrittenSpeech()

    @property
    def output_names(self) -> tuple[str, ...]:
        """The blank, then the characters."""
        return self.characters

    def targets(self, values: Sequence[Any]) -> NDArray[Any]:
        """Positions of the characters of the first right text, `int64 [n, longest]`, with `NO_PLACE` behind the last.

        Characters that no training text has are left out.
        """
        texts = [next(iter(read_transcripts(value)), "") for value in values]
        found = [[self._places[letter] for letter in text if letter in self._places] for text in texts]
        targets = np.full((len(found), max(map(len, found), default=0)), NO_PLACE, dtype=np.int64)
        for row, places in enumerate(found):
            targets[row, : len(places)] = places
        return targets

    def references(self, values: Sequence[Any]) -> NDArray[Any]:
        """The texts that are right, `object [n]` of tuples, as they are compared."""
        found = np.empty(len(values), dtype=object)
        found[:] = [tuple(normal_transcript(text) for text in read_transcripts(value)) for value in values]
        return found

    def predictions(self, outputs: Arrays) -> Predictions:
        """The texts, `object [n]`, as they are compared."""
        values = np.empty(len(outputs["logits"]), dtype=object)
        values[:] = [self.said(answer) for answer in self.answers(outputs)]
        return Predictions(values)

    def answers(self, outputs: Arrays) -> list[Answer]:
        """Text and confidence of each row."""
        found = (spelt(row, self.characters, self.beams) for row in outputs["logits"])
        return [{"text": text, "confidence": sure} for text, sure in found]

    def decision(self, answer: Answer) -> Any:
        """The text, also where nothing was heard: a label is held against it."""
        return answer["text"] or "(none)"

    def said(self, answer: Answer) -> str:
        """The text as it is compared."""
        return normal_transcript(answer["text"])

    def error(self, answer: Answer, truth: Any) -> float:
        """0 where the text is a right one but for case and punctuation, 1 where it is not."""
        return transcript_error(answer["text"], truth)
