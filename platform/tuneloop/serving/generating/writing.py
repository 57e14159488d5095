"""What the predictors of models that write texts have in common: they score texts, and answer token by token."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from tuneloop.api import ABSENT, Answer, Arrays, ArtifactError, Encoded, Preprocessor, Row, Task
from tuneloop.preprocessing.changing import ChangingPreprocessor
from tuneloop.preprocessing.writing import WritingPreprocessor
from tuneloop.serving.device import Device
from tuneloop.serving.generating.choose import log_softmax
from tuneloop.serving.generating.generation import Generation
from tuneloop.serving.generating.graph import Cache, DecoderGraph
from tuneloop.serving.generating.options import GREEDY, GenerationOptions
from tuneloop.serving.predictor import Prediction, Predictor
from tuneloop.tasks.written import WrittenText

ENTROPY = "entropy"
"""The output that is the mean entropy of the tokens of an answer, `[rows, 1]`."""
_MOST_LOGITS = 1 << 26
"""Logits of one call when texts are scored: 256 MB."""


class WritingPredictor(Predictor):
    """A decoder with a cache. `run` scores tokens; `predict` generates greedily, so that it gives equal answers."""

    wanted: ClassVar[str]
    """Which preprocessors it fits, for whoever reads a message."""

    def __init__(
        self, model: Path, task: Task, preprocessor: Preprocessor, *, threads: int = 1, device: Device = "cpu"
    ) -> None:
        """Load the graph; arguments and errors as those of `Predictor`."""
        super().__init__(model, task, preprocessor, threads=threads, device=device)
        inner = preprocessor.inner if isinstance(preprocessor, ChangingPreprocessor) else preprocessor
        if not self.fits(inner):
            raise ArtifactError(f"the task {task.name!r} generates, which needs {self.wanted}, not {inner.name!r}")
        assert isinstance(inner, WritingPreprocessor)
        self.writing = inner
        self.place = "cuda" if self._bound is not None else "cpu"
        self.graph = DecoderGraph(self._session, self.place)
        self.input_names = tuple(tensor.name for tensor in preprocessor.tensors)
        self.output_names = ("logits",)

    @classmethod
    @abstractmethod
    def fits(cls, preprocessor: Preprocessor) -> bool:
        """Whether it can ask a preprocessor for what its model reads."""

    @abstractmethod
    def begin(
        self, row: Row, options: GenerationOptions = GREEDY, *, rendered: bool = False, position: int = 0
    ) -> Generation:
        """The answer to a checked row, to be made step by step.

        Args:
            row: Without the right answer.
            options: How tokens are chosen.
            rendered: Whether it came from a chat template.
            position: Of the row in its request, for refusals.

        Raises:
            RequestError: It leaves no room for an answer.
        """

    @abstractmethod
    def inputs_of(self, one: Generation) -> tuple[Arrays, int]:
        """What the model read before it wrote an answer, as named inputs of one row, and its length."""

    @abstractmethod
    def opened(self, inputs: Arrays) -> Cache:
        """Where the decoder begins for these rows."""

    def score(self, inputs: Arrays, tokens: NDArray[np.int64], scored: NDArray[np.int64]) -> Arrays:
        """The log-probability of each scored token, as `logits float32 [rows, length, 1]`; `ABSENT` elsewhere."""
        rows, length = tokens.shape
        found = np.full((rows, length, 1), ABSENT, dtype=np.float32)
        size = max(1, _MOST_LOGITS // max(1, length * self.graph.vocabulary))
        for start in range(0, rows, size):
            part = tokens[start : start + size]
            cache = self.opened({name: array[start : start + size] for name, array in inputs.items()})
            for row, given in enumerate(self.graph.step(part, cache)):
                places = np.flatnonzero(scored[start + row, 1:])
                if len(places):
                    known = log_softmax(given[places])
                    right = known[np.arange(len(places)), part[row, places + 1]]
                    found[start + row, places + 1, 0] = right
        return {"logits": found}

    def predict(self, rows: Sequence[Row]) -> Prediction:
        """Check rows and answer them greedily, one after the other.

        Raises:
            RequestError: A row is refused; names row and field.
        """
        checked = self.preprocessor.check(rows)
        begun = [self.begin(row, position=position) for position, row in enumerate(checked)]
        return self.conclude(checked, [one.run() for one in begun])

    def conclude(self, rows: Sequence[Row], done: Sequence[Generation]) -> Prediction:
        """Finished answers as signals and the store read them: what was read as inputs, log-probabilities as logits."""
        longest = max((len(one.chosen) for one in done), default=0)
        logits = np.full((len(done), longest, 1), ABSENT, dtype=np.float32)
        entropy = np.zeros((len(done), 1), dtype=np.float32)
        encoded = []
        for row, one in enumerate(done):
            logits[row, : len(one.chosen), 0] = [token.log_probability for token in one.chosen]
            entropy[row] = np.mean([token.entropy for token in one.chosen])
            encoded.append(Encoded((row,), *self.inputs_of(one)))
        outputs = {"logits": logits, ENTROPY: entropy}
        told = self.task.answers(outputs)
        answers = [{**answer, **self._said(one)} for answer, one in zip(told, done, strict=True)]
        return Prediction(rows, encoded, outputs, answers)

    def _text(self, text: str) -> str:
        return self.task.told(text) if isinstance(self.task, WrittenText) else text

    def _said(self, one: Generation) -> Answer:
        return {
            next(iter(self.task.AnswerModel.model_fields)): self._text(one.pieces.text),
            "finish_reason": one.finish_reason,
            "prompt_tokens": one.prompt_tokens,
            "completion_tokens": len(one.chosen),
        }
