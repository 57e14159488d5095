"""The contract of metrics."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tuneloop.api.metric import Metric
from tuneloop.api.plugin import Plugin
from tuneloop.api.testing.checks import works_or_refuses
from tuneloop.api.testing.plugin import PluginContract
from tuneloop.api.types import ABSENT, NO_PLACE, Predictions

Case = tuple[Predictions, NDArray[Any]]
TAGS = ("O", "B-a", "I-a")
KINDS = frozenset({"classification", "multi-label", "regression", "tagging", "span", "text", "generation"})


class MetricContract(PluginContract):
    """Set `plugin`.

    Attributes:
        perfect_is_best: Whether right answers must score at least as well as wrong ones.
    """

    kind: ClassVar[type[Plugin]] = Metric
    perfect_is_best: ClassVar[bool] = True

    def test_direction_and_kinds(self) -> None:
        """It says whether more is better, and on what it can be computed."""
        assert isinstance(self.plugin.maximize, bool), f"maximize is {self.plugin.maximize!r}, not True or False"
        assert self.plugin.kinds, "kinds is empty"
        assert set(self.plugin.kinds) <= KINDS, f"kinds is {set(self.plugin.kinds)}; known: {sorted(KINDS)}"

    def test_compute(self) -> None:
        """One finite float, the same every time, and nothing that was handed in is changed."""
        for predictions, references in self._cases():
            kept = predictions.values.copy(), references.copy()
            first, second = (self.create().compute(predictions, references) for _ in range(2))
            assert isinstance(first, float), f"compute gave a {type(first).__name__}; give a float"
            assert math.isfinite(first), f"compute gave {first}"
            assert first == second, f"compute gave {first} and then {second} for equal input"
            same = np.array_equal(kept[0], predictions.values) and np.array_equal(kept[1], references)
            assert same, "compute changed the arrays it was given"

    def test_order_of_rows_does_not_matter(self) -> None:
        """Rows have no order."""
        for predictions, references in self._cases():
            turned = Predictions(
                predictions.values[::-1].copy(),
                None if predictions.scores is None else predictions.scores[::-1].copy(),
                predictions.labels,
            )
            forward = self.create().compute(predictions, references)
            backward = self.create().compute(turned, references[::-1].copy())
            assert math.isclose(forward, backward, rel_tol=1e-5, abs_tol=1e-7), f"{forward}, reversed {backward}"

    def test_right_answers_are_best(self) -> None:
        """`maximize` says the truth: right answers score at least as well as wrong ones, and not the same."""
        if not self.perfect_is_best:
            return
        for kind in sorted(self.plugin.kinds):
            best, worst = (self.create().compute(*case(kind, right=right)) for right in (True, False))
            better = best > worst if self.plugin.maximize else best < worst
            assert better, f"maximize is {self.plugin.maximize}, but right answers give {best} and wrong ones {worst}"

    def test_parts_join_to_the_metric(self) -> None:
        """Where it is made of sums over rows, the sums of all rows give what `compute` gives."""
        for predictions, references in self._cases():
            metric = self.create()
            parts = metric.parts(predictions, references)
            if parts is None:
                continue
            assert parts.ndim == 2, f"parts has the shape {parts.shape}; give one line a row"
            assert len(parts) == len(references), f"parts has {len(parts)} lines for {len(references)} rows"
            whole, joined = metric.compute(predictions, references), metric.joined(parts.sum(axis=0)[None])
            assert joined.shape == (1,), f"joined gave the shape {joined.shape} for one line of sums"
            same = math.isclose(whole, float(joined[0]), rel_tol=1e-4, abs_tol=1e-6)
            assert same, f"the parts join to {float(joined[0])}, but compute gives {whole}"

    def test_odd_rows(self) -> None:
        """No rows, one row, one class only, unknown labels: a finite float, or a refusal in words."""
        for kind in sorted(self.plugin.kinds):
            predictions, references = case(kind, right=True)
            for count in (0, 1):
                self._sound(cut(predictions, count), references[:count], f"compute on {count} rows")
            same = np.concatenate([references[:1]] * len(references))
            self._sound(predictions, same, "compute on one class or value only")
            # Numbers and texts have no unknown label.
            if references.dtype.kind == "i":
                self._sound(predictions, np.full_like(references, -1), "compute on unknown labels (-1)")

    def test_any_rows(self) -> None:
        """Whatever the rows, a finite float comes out, or a refusal in words."""

        @settings(max_examples=40, deadline=None, database=None, derandomize=True)
        @given(st.sampled_from(sorted(self.plugin.kinds)), st.integers(1, 40), st.integers(0, 10_000))
        def holds(kind: str, rows: int, seed: int) -> None:
            self._sound(*drawn(kind, rows, seed), f"compute on {rows} random rows")

        holds()

    def _sound(self, predictions: Predictions, references: NDArray[Any], what: str) -> None:
        value = works_or_refuses(lambda: self.create().compute(predictions, references), what)
        assert value is None or math.isfinite(value), f"{what} gave {value}; raise a DataError instead"

    def _cases(self) -> Iterator[Case]:
        for kind in sorted(self.plugin.kinds):
            yield case(kind, right=True)
            yield case(kind, right=False)
            yield drawn(kind, 50, 1)


def case(kind: str, *, right: bool) -> Case:
    """Twelve rows answered all right, or all wrong; sure of it in both cases. With `tagging`: six rows of two words."""
    if kind == "tagging":
        words, truth = case("classification", right=right)
        assert words.scores is not None
        return Predictions(words.values.reshape(6, 2), words.scores.reshape(6, 2, 3), TAGS), truth.reshape(6, 2)
    if kind == "multi-label":
        truth = (np.arange(36).reshape(12, 3) % 5 % 2).astype(np.int64)
        decided = truth if right else 1 - truth
        return Predictions(decided, np.where(decided == 1, 0.96, 0.04).astype(np.float32), ("a", "b", "c")), truth
    if kind in ("span", "text"):
        texts = [f"number {row}" for row in range(12)]
        return _texts(texts if right else ["else"] * 12, [(text, "other") for text in texts])
    if kind == "generation":
        likely = np.full((12, 4), -0.1 if right else -3.0, dtype=np.float32)
        likely[::2, 2:] = ABSENT
        return Predictions(likely), np.array([f"number {row}" for row in range(12)], dtype=object)
    if kind == "regression":
        truth = np.linspace(1, 6, 12, dtype=np.float32)
        return Predictions(truth if right else truth[::-1] + 3), truth
    labels = np.arange(12, dtype=np.int64) % 3
    values = labels if right else (labels + 1) % 3
    scores = np.full((12, 3), 0.02, dtype=np.float32)
    scores[np.arange(12), values] = 0.96
    return Predictions(values, scores, ("a", "b", "c")), labels


def drawn(kind: str, rows: int, seed: int) -> Case:
    """Random answers; for classification of four classes, some references unknown."""
    random = np.random.default_rng(seed)
    if kind == "tagging":
        words, labels = drawn("classification", rows * 3, seed)
        assert words.scores is not None
        values, labels = words.values.reshape(rows, 3), labels.reshape(rows, 3)
        behind = np.arange(3)[None, :] > random.integers(0, 3, rows)[:, None]
        values[behind] = labels[behind] = NO_PLACE
        return Predictions(values, words.scores.reshape(rows, 3, 4), (*TAGS, "I-b")), labels
    if kind == "multi-label":
        chances = random.random((rows, 4)).astype(np.float32)
        truth = random.integers(0, 2, (rows, 4))
        return Predictions((chances >= 0.5).astype(np.int64), chances, ("a", "b", "c", "d")), truth
    if kind in ("span", "text"):
        vocabulary = np.array(["the", "red", "fox", ""])
        texts = [" ".join(random.choice(vocabulary, 3)) for _ in range(2 * rows)]
        return _texts(texts[:rows], [(text,) * int(random.integers(0, 3)) for text in texts[rows:]])
    if kind == "generation":
        likely = -random.exponential(size=(rows, 5)).astype(np.float32)
        likely[np.arange(5)[None, :] > random.integers(0, 5, rows)[:, None]] = ABSENT
        return Predictions(likely), np.array(["x"] * rows, dtype=object)
    if kind == "regression":
        truth = random.normal(size=rows).astype(np.float32)
        return Predictions((truth + random.normal(size=rows)).astype(np.float32)), truth
    weights = np.exp(random.normal(size=(rows, 4)))
    scores = (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
    return Predictions(scores.argmax(axis=1).astype(np.int64), scores, ("a", "b", "c", "d")), random.integers(
        -1, 4, rows
    )


def _texts(answers: Sequence[str], right: Sequence[tuple[str, ...]]) -> Case:
    values, truth = np.empty(len(answers), dtype=object), np.empty(len(answers), dtype=object)
    values[:], truth[:] = answers, right
    return Predictions(values), truth


def cut(predictions: Predictions, count: int) -> Predictions:
    """The first rows."""
    scores = None if predictions.scores is None else predictions.scores[:count]
    return Predictions(predictions.values[:count], scores, predictions.labels)
