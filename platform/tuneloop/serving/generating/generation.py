"""One answer on its way: each step reads what is new and chooses a token."""

from __future__ import annotations

import functools
from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tuneloop.api import Arrays, ServingError
from tuneloop.serving.generating.choose import Chosen, choose
from tuneloop.serving.generating.graph import Cache, DecoderGraph, EncoderGraph
from tuneloop.serving.generating.options import GenerationOptions
from tuneloop.serving.generating.pieces import Pieces

STOP, LENGTH = "stop", "length"
"""Why an answer ends; the words of OpenAI's API."""


@dataclass(frozen=True, slots=True)
class Source:
    """What an encoder reads for one answer.

    Attributes:
        inputs: Its inputs, with a first axis of 1.
        encoder: The encoder.
        tokens: How long the source is.
    """

    inputs: Arrays
    encoder: EncoderGraph
    tokens: int

    def read(self) -> dict[str, Any]:
        """What the decoder reads of it."""
        return self.encoder.read(self.inputs)


class Generation(ABC):
    """An answer that is made step by step, in any thread, one at a time.

    Args:
        graph: The decoder.
        prompt: Tokens read before the first one is chosen.
        pieces: Takes the tokens, and becomes the text.
        options: How tokens are chosen.
        most: Tokens, at most.
        stops: Tokens that end the answer.
        source: What an encoder reads before; None: there is none.
        forced: How many tokens of the prompt count in the length of the answer.
        forbidden: Tokens that are never chosen.
        forbidden_first: Tokens that are not chosen first, beside them.
    """

    def __init__(
        self,
        graph: DecoderGraph,
        prompt: Sequence[int],
        pieces: Pieces,
        options: GenerationOptions,
        most: int,
        stops: Collection[int],
        *,
        source: Source | None = None,
        forced: int = 0,
        forbidden: Sequence[int] = (),
        forbidden_first: Sequence[int] = (),
    ) -> None:
        self.graph, self.prompt, self.pieces, self.options = graph, list(prompt), pieces, options
        self.most, self.stops, self.source, self.forced = most, frozenset(stops), source, forced
        self._forbidden = list(forbidden)
        self._forbidden_first = [*forbidden, *forbidden_first]
        self.chosen: list[Chosen] = []
        self.finish_reason: str | None = None

    @property
    def done(self) -> bool:
        """Whether the answer is whole."""
        return self.finish_reason is not None

    @functools.cached_property
    def cache(self) -> Cache:
        """Where the decoder is; a source is read when it is first asked for, by whoever makes the first step."""
        return self.graph.begin(1, self.source.read() if self.source is not None else None)

    @property
    def forbidden(self) -> list[int]:
        """Tokens that are not chosen next."""
        return self._forbidden if self._begun else self._forbidden_first

    @property
    def _begun(self) -> bool:
        """Whether a token was chosen."""
        return bool(self.chosen)

    @property
    def prompt_tokens(self) -> int:
        """How many tokens were asked with."""
        return len(self.prompt) if self.source is None else self.source.tokens

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
        self.__dict__.pop("cache", None)


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
        one = choose(logits, self.options, self._draw, self.forbidden)
        self.chosen.append(one)
        if one.token in self.stops:
            self._finish(STOP)
            return
        self.pieces.add(one.token)
        if self.pieces.stopped:
            self._finish(STOP)
        elif len(self.chosen) >= self.most:
            self._finish(LENGTH)
