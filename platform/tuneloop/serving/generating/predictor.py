"""The predictor of a model that generates: it scores texts like any model, and answers prompts token by token."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tuneloop.api import ABSENT, Answer, Arrays, ArtifactError, Encoded, Preprocessor, RequestError, Row, Task
from tuneloop.preprocessing.changing import ChangingPreprocessor
from tuneloop.preprocessing.prompt import SCORED, PromptPreprocessor
from tuneloop.serving.device import Device
from tuneloop.serving.generating.beams import Beams
from tuneloop.serving.generating.choose import log_softmax
from tuneloop.serving.generating.generation import Generation, Single
from tuneloop.serving.generating.graph import DecoderGraph
from tuneloop.serving.generating.options import GREEDY, GenerationOptions
from tuneloop.serving.generating.pieces import Pieces
from tuneloop.serving.predictor import Prediction, Predictor

ENTROPY = "entropy"
"""The output that is the mean entropy of the tokens of an answer, `[rows, 1]`."""
_MOST_LOGITS = 1 << 26
"""Logits of one call when texts are scored: 256 MB."""


class GeneratingPredictor(Predictor):
    """A decoder with a cache. `run` scores tokens; `predict` generates greedily, so that it gives equal answers."""

    def __init__(
        self,
        model: Path,
        task: Task,
        preprocessor: Preprocessor,
        *,
        threads: int = 1,
        device: Device = "cpu",
    ) -> None:
        """Load the graph; arguments and errors as those of `Predictor`."""
        super().__init__(model, task, preprocessor, threads=threads, device=device)
        inner = preprocessor.inner if isinstance(preprocessor, ChangingPreprocessor) else preprocessor
        if not isinstance(inner, PromptPreprocessor):
            raise ArtifactError(
                f"the task {task.name!r} generates, which needs preprocessor 'prompt', not {inner.name!r}"
            )
        self.prompts = inner
        self.graph = DecoderGraph(self._session, "cuda" if self._bound is not None else "cpu")
        self.input_names = tuple(tensor.name for tensor in preprocessor.tensors)
        self.output_names = ("logits",)

    def run(self, inputs: Arrays) -> Arrays:
        """The log-probability of each scored token, as `logits float32 [rows, length, 1]`; `ABSENT` elsewhere."""
        tokens, scored = inputs["input_ids"], inputs[SCORED] * inputs["attention_mask"]
        rows, length = tokens.shape
        found = np.full((rows, length, 1), ABSENT, dtype=np.float32)
        size = max(1, _MOST_LOGITS // max(1, length * self.graph.vocabulary))
        for start in range(0, rows, size):
            part = tokens[start : start + size]
            logits = self.graph.step(part, self.graph.begin(len(part)))
            for row, given in enumerate(logits):
                places = np.flatnonzero(scored[start + row, 1:])
                if len(places):
                    known = log_softmax(given[places])
                    right = known[np.arange(len(places)), part[row, places + 1]]
                    found[start + row, places + 1, 0] = right
        return {"logits": found}

    def begin(
        self, row: Row, options: GenerationOptions = GREEDY, *, rendered: bool = False, position: int = 0
    ) -> Generation:
        """The answer to a checked row, to be made step by step.

        Args:
            row: Its column holds the prompt.
            options: How tokens are chosen.
            rendered: Whether the prompt came from a chat template.
            position: Of the row in its request, for refusals.

        Raises:
            RequestError: The prompt leaves no room for an answer.
        """
        settings = self.prompts.settings
        prompt = self.prompts.prompt(row[settings.column], rendered=rendered)
        room = settings.max_length - len(prompt)
        if room < 1 or not prompt:
            said = f"has {len(prompt)} tokens; prompt and answer together have at most {settings.max_length}"
            raise RequestError(said, field=settings.column, row=position)
        goes_on = settings.answers is None and not rendered
        pieces = Pieces(self.prompts.tokenizer, prompt if goes_on else (), options.stop)
        most = min(room, options.max_tokens or settings.max_tokens)
        kind = Beams if options.beams > 1 else Single
        return kind(self.graph, prompt, pieces, options, most, settings.stop_ids)

    def predict(self, rows: Sequence[Row]) -> Prediction:
        """Check rows and answer them greedily, one after the other.

        Raises:
            RequestError: A row is refused; names row and field.
        """
        checked = self.preprocessor.check(rows)
        begun = [self.begin(row, position=position) for position, row in enumerate(checked)]
        return self.conclude(checked, [one.run() for one in begun])

    def conclude(self, rows: Sequence[Row], done: Sequence[Generation]) -> Prediction:
        """Finished answers as signals and the store read them: prompts as inputs, log-probabilities as `logits`."""
        longest = max((len(one.chosen) for one in done), default=0)
        logits = np.full((len(done), longest, 1), ABSENT, dtype=np.float32)
        entropy = np.zeros((len(done), 1), dtype=np.float32)
        encoded = []
        for row, one in enumerate(done):
            logits[row, : len(one.chosen), 0] = [token.log_probability for token in one.chosen]
            entropy[row] = np.mean([token.entropy for token in one.chosen])
            ids = np.array([one.prompt], dtype=np.int64)
            inputs = {"input_ids": ids, "attention_mask": np.ones_like(ids), SCORED: np.zeros_like(ids)}
            encoded.append(Encoded((row,), inputs, len(one.prompt)))
        outputs = {"logits": logits, ENTROPY: entropy}
        told = self.task.answers(outputs)
        answers = [{**answer, **_said(one)} for answer, one in zip(told, done, strict=True)]
        return Prediction(rows, encoded, outputs, answers)


def _said(one: Generation) -> Answer:
    return {
        "text": one.pieces.text,
        "finish_reason": one.finish_reason,
        "prompt_tokens": len(one.prompt),
        "completion_tokens": len(one.chosen),
    }


def open_predictor(model: Path, task: Task, preprocessor: Preprocessor, **arguments: Any) -> Predictor:
    """The predictor that fits a task; arguments as those of `Predictor`."""
    kind = GeneratingPredictor if task.loss == "likelihood" else Predictor
    return kind(model, task, preprocessor, **arguments)
