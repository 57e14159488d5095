"""Several continuations at a time, of which the most probable wins.

The rules are those of transformers' `generate` with `early_stopping=False`: an ended continuation is worth its
log-probability over its length to the power of `length_penalty`, and the search ends once what is still open can, at
its present length, not beat the worst of as many ended ones as there are beams.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tuneloop.api import ServingError
from tuneloop.serving.generating.choose import Chosen, log_softmax
from tuneloop.serving.generating.generation import LENGTH, STOP, Generation


@dataclass(frozen=True, slots=True)
class _Beam:
    """A continuation and the sum of its log-probabilities."""

    sum: float
    chosen: tuple[Chosen, ...]


class Beams(Generation):
    """`options.beams` continuations; the text appears when the search has ended."""

    _open: tuple[_Beam, ...] = ()
    _ended: tuple[tuple[float, _Beam], ...] = ()

    def advance(self) -> None:
        """Read the prompt or the last tokens, and keep the best continuations."""
        width = self.options.beams
        if not self._open:
            logits = self.graph.step(np.array([self.prompt], dtype=np.int64), self.cache)[:, -1]
            self._open = (_Beam(0.0, ()),)
        else:
            last = [[beam.chosen[-1].token] for beam in self._open]
            logits = self.graph.step(np.array(last, dtype=np.int64), self.cache)[:, -1]
        if not np.isfinite(logits).all():
            raise ServingError("the model gave a number that is not finite")
        known = log_softmax(logits)
        entropies = np.maximum(0.0, -(np.exp(known) * known).sum(axis=-1))
        known[:, self.forbidden] = -np.inf
        sums = (known + np.array([[beam.sum] for beam in self._open])).reshape(-1)
        # Each beam may bring as many ends as there are end tokens, and the open ones shall still be `width`.
        wanted = min(len(sums), max(2, 1 + len(self.stops)) * width)
        best = np.argpartition(-sums, wanted - 1)[:wanted]
        best = best[np.argsort(-sums[best], kind="stable")]
        kept: list[_Beam] = []
        rows: list[int] = []
        for rank, place in enumerate(best.tolist()):
            row, token = divmod(place, known.shape[1])
            one = Chosen(token, float(known[row, token]), float(entropies[row]))
            beam = _Beam(float(sums[place]), (*self._open[row].chosen, one))
            if token in self.stops:
                # One that ranks behind as many better ones is no end worth keeping.
                if rank < width:
                    self._end(beam)
            elif len(kept) < width:
                kept.append(beam)
                rows.append(row)
        self._open = tuple(kept)
        if len(kept[0].chosen) >= self.most:
            for beam in kept:
                self._end(beam)
            self._settle()
        elif len(self._ended) == width and self._ended[-1][0] >= self._worth(kept[0]):
            self._settle()
        else:
            self.graph.reorder(self.cache, rows)

    @property
    def _begun(self) -> bool:
        return bool(self._open and self._open[0].chosen)

    def _worth(self, beam: _Beam) -> float:
        return beam.sum / float((self.forced + len(beam.chosen)) ** self.options.length_penalty)

    def _end(self, beam: _Beam) -> None:
        found = sorted((*self._ended, (self._worth(beam), beam)), key=lambda pair: -pair[0])
        self._ended = tuple(found[: self.options.beams])

    def _settle(self) -> None:
        best = self._ended[0][1]
        reason = LENGTH
        for one in best.chosen:
            self.chosen.append(one)
            if one.token in self.stops:
                reason = STOP
                break
            self.pieces.add(one.token)
            if self.pieces.stopped:
                break
        self._finish(reason)
