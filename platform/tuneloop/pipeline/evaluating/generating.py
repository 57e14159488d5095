"""What the steps do differently for a model that generates text: its answers are made token by token."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tuneloop.api import ABSENT, SCORED, Arrays, Preprocessor, Row, SignalBatch, Strategy, VerificationError, scatter
from tuneloop.preprocessing.writing import WritingPreprocessor

if TYPE_CHECKING:
    from datasets import Dataset

    from tuneloop.serving.predictor import Predictor

ANSWERED_ROWS = 200
"""Rows of a split that texts are generated for, at most: each costs as much as thousands of scored ones."""
COMPARED_ROWS = 8
_COMPARED_TOKENS = 48
_BATCH = 16


def as_requests(preprocessor: Preprocessor, rows: Sequence[Row]) -> list[Row]:
    """Rows of the data as clients would send them: prompts without their answers; all others as they are."""
    return preprocessor.requests(rows) if isinstance(preprocessor, WritingPreprocessor) else list(rows)


def answer_prompts(predictor: Predictor, rows: Sequence[Row]) -> SignalBatch:
    """The first rows' prompts with the model's own answers."""
    asked = as_requests(predictor.preprocessor, rows[:ANSWERED_ROWS])
    found = predictor.predict(asked)
    return SignalBatch(found.rows, found.encoded, found.outputs, found.answers)


def check_texts(model: Any, predictor: Any, rows: Sequence[Row]) -> int:
    """How many prompts the tuned model and its graph go on from alike, token by token.

    Args:
        model: As `tuneloop.api.DecoderModel` describes it.
        predictor: A `GeneratingPredictor` of the float graph.
        rows: Of the data, checked.

    Raises:
        VerificationError: One text differs; shows where.
    """
    from tuneloop.serving.generating.options import GenerationOptions

    settings = predictor.prompts.settings
    asked = as_requests(predictor.preprocessor, rows[:COMPARED_ROWS])
    for row in asked:
        one = predictor.begin(row, GenerationOptions(max_tokens=_COMPARED_TOKENS)).run()
        expected = model.greedy(one.prompt, one.most, settings.stop_ids)
        if one.tokens != expected:
            place = next((i for i, (a, b) in enumerate(zip(expected, one.tokens, strict=False)) if a != b), -1)
            raise VerificationError(
                f"the exported model generates another text than the tuned one: behind {row[settings.column]!r:.80} "
                f"token {place} is {one.tokens[place : place + 3]}, not {expected[place : place + 3]}"
            )
    return len(asked)


def unigram_logits(train: Dataset, test: Dataset) -> NDArray[np.float32]:
    """Log-probabilities of the test tokens by how frequent each is in training, `float32 [n, places, 1]`.

    Each token that the test rows hold counts as seen once more than it was: none is impossible.
    """
    seen = np.concatenate([_scored_tokens(train), _all_tokens(test)])
    counts = np.bincount(seen)
    known = np.log(counts / counts.sum(), where=counts > 0, out=np.full(len(counts), ABSENT, dtype=np.float64))
    ids, scored = test["input_ids"], test[SCORED]
    found = np.full((len(test), max(map(len, ids)), 1), ABSENT, dtype=np.float32)
    for row, (tokens, wanted) in enumerate(zip(ids, scored, strict=True)):
        places = np.flatnonzero(np.asarray(wanted)[1:]) + 1
        found[row, places, 0] = known[np.asarray(tokens)[places]]
    return found


def untuned_logits(strategy: Strategy, model: Any, test: Dataset) -> NDArray[np.float32]:
    """Log-probabilities of the test tokens by the base model as it is, `float32 [n, places, 1]`."""
    by_length: dict[int, list[int]] = {}
    for position, length in enumerate(test["length"]):
        by_length.setdefault(int(length), []).append(position)
    names = ("input_ids", "attention_mask", SCORED)
    done: list[tuple[Sequence[int], Arrays]] = []
    for members in by_length.values():
        for start in range(0, len(members), _BATCH):
            part = members[start : start + _BATCH]
            rows = test[part]
            done.append((part, strategy.outputs(model, {n: np.array(rows[n], dtype=np.int64) for n in names})))
    return scatter(done, len(test))["logits"]


def _scored_tokens(rows: Dataset) -> NDArray[np.int64]:
    pairs = zip(rows["input_ids"], rows[SCORED], strict=True)
    parts = [np.asarray(tokens)[1:][np.asarray(scored)[1:] == 1] for tokens, scored in pairs]
    return np.concatenate(parts).astype(np.int64)


def _all_tokens(rows: Dataset) -> NDArray[np.int64]:
    return np.unique(np.concatenate([np.asarray(tokens) for tokens in rows["input_ids"]])).astype(np.int64)
