"""Base model `transformers-spans`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pydantic

from tuneloop.api import Preprocessor, PreprocessorChoice, Task
from tuneloop_transformers.tokenizer import tokenizer_options
from tuneloop_transformers.windowed import Windowed, WindowedOptions

_OR_NONE = "question-answering-or-none"


class TransformersSpansOptions(WindowedOptions):
    """Options of base model `transformers-spans`."""

    max_length: int = pydantic.Field(
        384,
        ge=16,
        le=8192,
        description="Tokens of a window, with the question: longer contexts are read in several, nothing is cut. "
        "Questions that take more than half of it are refused.",
    )
    overlap: int = pydantic.Field(
        128, ge=0, description="Tokens of the context that two windows share, so that each has its neighbours."
    )


class TransformersSpans(Windowed):
    """A pre-trained transformer that finds where an answer begins and ends in a context."""

    name = "transformers-spans"
    tasks = frozenset({"question-answering", _OR_NONE})
    Options = TransformersSpansOptions

    options: TransformersSpansOptions

    def preprocessor(self, root: Path) -> PreprocessorChoice:
        """The `passages` preprocessor with the checkpoint's tokenizer."""
        options = tokenizer_options(self.checkpoint(root), self.options.max_length)
        return PreprocessorChoice("passages", {**options, "overlap": self.options.overlap})

    def network(self, backbone: Any, task: Task, preprocessor: Preprocessor) -> Any:  # noqa: ARG002
        """A `SpanFinder`; its first place stands for no answer where the task knows of such."""
        from tuneloop_transformers.span_network import SpanFinder

        return SpanFinder(backbone, len(task.output_names), self.options.dropout, none=task.name == _OR_NONE)
