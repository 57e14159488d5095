"""The predictor of a decoder alone, which goes on from prompts; and the choice of the one that fits an artifact."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from tuneloop.api import SCORED, Arrays, Preprocessor, RequestError, Row, Task
from tuneloop.artifact import ENCODER
from tuneloop.preprocessing.prompt import PromptPreprocessor
from tuneloop.serving.generating.beams import Beams
from tuneloop.serving.generating.generation import Generation, Single
from tuneloop.serving.generating.graph import Cache
from tuneloop.serving.generating.options import GREEDY, GenerationOptions
from tuneloop.serving.generating.pieces import Pieces
from tuneloop.serving.generating.source import SourcePredictor
from tuneloop.serving.generating.writing import WritingPredictor
from tuneloop.serving.predictor import Predictor


class GeneratingPredictor(WritingPredictor):
    """Prompts in, what follows them out."""

    wanted: ClassVar[str] = "preprocessor 'prompt'"

    @classmethod
    def fits(cls, preprocessor: Preprocessor) -> bool:
        """Whether it reads prompts."""
        return isinstance(preprocessor, PromptPreprocessor)

    @property
    def prompts(self) -> PromptPreprocessor:
        """What makes tokens of prompts."""
        assert isinstance(self.writing, PromptPreprocessor)
        return self.writing

    def run(self, inputs: Arrays) -> Arrays:
        """The log-probability of each scored token, as `logits float32 [rows, length, 1]`; `ABSENT` elsewhere."""
        return self.score(inputs, inputs["input_ids"], inputs[SCORED] * inputs["attention_mask"])

    def opened(self, inputs: Arrays) -> Cache:
        """An empty cache."""
        return self.graph.begin(len(inputs["input_ids"]))

    def begin(
        self, row: Row, options: GenerationOptions = GREEDY, *, rendered: bool = False, position: int = 0
    ) -> Generation:
        """The answer to a checked row, to be made step by step; its column holds the prompt.

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

    def inputs_of(self, one: Generation) -> tuple[Arrays, int]:
        """The prompt."""
        ids = np.array([one.prompt], dtype=np.int64)
        inputs = {"input_ids": ids, "attention_mask": np.ones_like(ids), SCORED: np.zeros_like(ids)}
        return inputs, len(one.prompt)


def open_predictor(model: Path, task: Task, preprocessor: Preprocessor, **arguments: Any) -> Predictor:
    """The predictor that fits a task, and what lies beside its graph; arguments as those of `Predictor`."""
    if task.loss != "likelihood":
        return Predictor(model, task, preprocessor, **arguments)
    kind = SourcePredictor if model.with_name(ENCODER).is_file() else GeneratingPredictor
    return kind(model, task, preprocessor, **arguments)
