"""The predictor of an encoder and a decoder: a source in, whatever it is, a text out."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import numpy as np

from tuneloop.api import SCORED, TARGET_IDS, Arrays, Preprocessor, RequestError, Row, Task
from tuneloop.artifact import ENCODER
from tuneloop.preprocessing.source import SourcePreprocessor
from tuneloop.serving.device import Device, open_session
from tuneloop.serving.generating.beams import Beams
from tuneloop.serving.generating.generation import Generation, Single, Source
from tuneloop.serving.generating.graph import Cache, EncoderGraph
from tuneloop.serving.generating.options import GREEDY, GenerationOptions
from tuneloop.serving.generating.pieces import Pieces
from tuneloop.serving.generating.writing import WritingPredictor
from tuneloop.serving.predictor import session_options


class SourcePredictor(WritingPredictor):
    """An encoder reads each source once; a decoder with a cache writes the answer to it."""

    wanted: ClassVar[str] = "a preprocessor with a source, such as 'text-to-text'"

    def __init__(
        self, model: Path, task: Task, preprocessor: Preprocessor, *, threads: int = 1, device: Device = "cpu"
    ) -> None:
        """Load both graphs; the encoder lies beside `model`. Arguments and errors as those of `Predictor`."""
        super().__init__(model, task, preprocessor, threads=threads, device=device)
        session = open_session(model.with_name(ENCODER), session_options(threads), device)
        self.encoder = EncoderGraph(session, self.place)

    @classmethod
    def fits(cls, preprocessor: Preprocessor) -> bool:
        """Whether it reads sources."""
        return isinstance(preprocessor, SourcePreprocessor)

    @property
    def sources(self) -> SourcePreprocessor:
        """What makes inputs of sources."""
        assert isinstance(self.writing, SourcePreprocessor)
        return self.writing

    def run(self, inputs: Arrays) -> Arrays:
        """The log-probability of each scored token, as `logits float32 [rows, places, 1]`; `ABSENT` elsewhere."""
        return self.score(inputs, inputs[TARGET_IDS], inputs[SCORED])

    def opened(self, inputs: Arrays) -> Cache:
        """An empty cache beside what the encoder reads."""
        return self.graph.begin(len(inputs[TARGET_IDS]), self.encoder.read(inputs))

    def begin(
        self,
        row: Row,
        options: GenerationOptions = GREEDY,
        *,
        rendered: bool = False,  # noqa: ARG002
        position: int = 0,
    ) -> Generation:
        """The answer to a checked row, to be made step by step; its column holds the source.

        Raises:
            RequestError: The source has nothing that can be read.
        """
        target, sources = self.sources.settings.target, self.sources
        inputs = sources.source(row)
        tokens = next((array.shape[1] for name, array in inputs.items() if name == "input_ids"), 0)
        if "input_ids" in inputs and not tokens:
            raise RequestError("holds nothing that can be read", field=sources.settings.column, row=position)
        start = sources.start
        most = max(1, min(target.max_length - len(start), options.max_tokens or target.max_tokens))
        kind = Beams if options.beams > 1 else Single
        return kind(
            self.graph,
            start,
            Pieces(sources.tokenizer, (), options.stop),
            options,
            most,
            target.stop_ids,
            source=Source(inputs, self.encoder, tokens),
            forced=target.forced,
            forbidden=target.forbidden_ids,
            forbidden_first=target.forbidden_first_ids,
        )

    def inputs_of(self, one: Generation) -> tuple[Arrays, int]:
        """The source, and the tokens that texts begin with."""
        assert one.source is not None
        ids = np.array([one.prompt], dtype=np.int64)
        inputs = {**one.source.inputs, TARGET_IDS: ids, SCORED: np.zeros_like(ids)}
        return inputs, one.source.tokens or len(one.prompt)
