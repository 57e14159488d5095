"""One answer on its way: each step reads what is new and chooses a token."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence

import numpy as np

from tuneloop.api import ServingError
from tuneloop.serving.generating.choose import Chosen, choose
from tuneloop.serving.generating.graph import Cache, DecoderGraph
from tuneloop.serving.generating.options import GenerationOptions
from tuneloop.serving.generating.pieces import Pieces

STOP, LENGTH = "stop", "length"
"""Why an answer ends; the words of OpenAI's API."""


class Generation(ABC):
    """An answer that is made step by step, in any thread, one at a time.

    Args:
        graph: The decoder.
        prompt: Tokens read before the first one is chosen.
        pieces: Takes the tokens, and becomes the text.
        options: How tokens are chosen.
        most: Tokens, at most.
        stops: Tokens that end the answer.
        cache: Where the decoder begins; None: empty.
    """

    def __init__(
        self,
        graph: DecoderGraph,
        prompt: Sequence[int],
        pieces: Pieces,
        options: GenerationOptions,
        most: int,
        stops: Collection[int],
        cache: Cache | None = None,
    ) -> None:
        self.graph, self.prompt, self.pieces, self.options = graph, list(prompt), pieces, options
        self.most, self.stops = most, frozenset(stops)
        self.cache = graph.begin() if cache is None else cache
        self.chosen: list[Chosen] = []
        self.finish_reason: str | None = None

    @property
    def done(self) -> bool:
        """Whether the answer is whole."""
        return self.finish_reason is not None

    @property
    def tokens(self) -> list[int]:
        """The tokens chosen so far, the one that ends the answer included."""
        return [one.token for one in self.chosen]

    @abstractmethod
    def advance(self) -> None:
        """One call of the graph."""

    def run(self) -> Generation:
        """Go on to the end."""
        while not self.done:
            self.advance()
        return self

    def _finish(self, reason: str) -> None:
        self.pieces.end()
        self.finish_reason = STOP if self.pieces.stopped else reason
        # Keys and values are the largest part of what an answer holds.
        del self.cache


class Single(Generation):
    """One continuation: the most probable tokens, or drawn ones."""

    _draw: np.random.Generator | None = None

    def advance(self) -> None:
        """Read the prompt or the last token, and choose the next one."""
        if self._draw is None:
            self._draw = np.random.default_rng(self.options.seed)
        new = [self.chosen[-1].token] if self.chosen else self.prompt
        logits = self.graph.step(np.array([new], dtype=np.int64), self.cache)[0, -1]
        if not np.isfinite(logits).all():
            raise ServingError("the model gave a number that is not finite")
        one = choose(logits, self.options, self._draw)
        self.chosen.append(one)
        if one.token in self.stops:
            self._finish(STOP)
            return
        self.pieces.add(one.token)
        if self.pieces.stopped:
            self._finish(STOP)
        elif len(self.chosen) >= self.most:
            self._finish(LENGTH)
