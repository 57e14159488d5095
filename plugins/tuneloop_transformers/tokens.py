"""Base model `transformers-tokens`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pydantic

from tuneloop.api import Preprocessor, PreprocessorChoice, Task
from tuneloop_transformers.windowed import Windowed, WindowedOptions
from tuneloop_transformers.word_options import word_options


class TransformersTokensOptions(WindowedOptions):
    """Options of base model `transformers-tokens`."""

    max_length: int = pydantic.Field(
        128, ge=16, le=8192, description="Longer texts are read in windows of this many tokens; nothing is cut."
    )
    overlap: int = pydantic.Field(32, ge=0, description="Tokens that two windows share, so that each word has context.")

    @pydantic.model_validator(mode="after")
    def _overlap_fits(self) -> TransformersTokensOptions:
        if self.overlap > self.max_length // 2:
            raise ValueError(f"overlap {self.overlap} is more than half of max_length {self.max_length}")
        return self


class TransformersTokens(Windowed):
    """A pre-trained transformer with a linear layer on one token of each word.

    It is the first token; of a model that sees nothing behind a token, such as GPT-2 or Llama, the last one.
    """

    name = "transformers-tokens"
    tasks = frozenset({"token-classification"})
    Options = TransformersTokensOptions

    options: TransformersTokensOptions

    def preprocessor(self, root: Path) -> PreprocessorChoice:
        """The `words` preprocessor with the checkpoint's tokenizer."""
        options = word_options(self.checkpoint(root), self.options.max_length)
        return PreprocessorChoice("words", {**options, "overlap": self.options.overlap})

    def network(self, backbone: Any, task: Task, preprocessor: Preprocessor) -> Any:
        """A `TokenClassifier` that reads the places which the preprocessor marks."""
        from tuneloop_transformers.token_network import FIRST, LAST, TokenClassifier

        mark = LAST if LAST in {tensor.name for tensor in preprocessor.tensors} else FIRST
        return TokenClassifier(backbone, len(task.output_names), self.options.dropout, mark)
