"""What the steps do for a model whose answers are texts that metrics read: each is written before it can be judged."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tuneloop.api import ABSENT, SCORED, TARGET_IDS, Answer, Arrays, Encoded, Predictions, Row, VerificationError
from tuneloop.config.texts import PERPLEXITY
from tuneloop.pipeline.evaluating.generating import ANSWERED_ROWS, COMPARED_ROWS, as_requests
from tuneloop.preprocessing.source import SourcePreprocessor

if TYPE_CHECKING:
    from tuneloop.api import EncoderDecoderModel, Task
    from tuneloop.pipeline.comparing.comparison import Judged
    from tuneloop.serving.predictor import Predictor

_BATCH = 32
_COMPARED_TOKENS = 48


def judged_texts(task: Task, texts: Sequence[str], values: Sequence[Any]) -> Judged:
    """Texts and the right ones of their rows, as metrics read them."""
    found = np.empty(len(texts), dtype=object)
    found[:] = list(texts)
    return Predictions(found), task.references(values)


def judged_answers(task: Task, answers: Sequence[Answer], values: Sequence[Any]) -> Judged:
    """Answers of a served model and the right ones of their rows, as metrics read them."""
    return judged_texts(task, [task.said(answer) for answer in answers], values)


def judge_served(
    predictor: Predictor, rows: Sequence[Row], values: Sequence[Any], most: int | None = ANSWERED_ROWS
) -> Judged:
    """What an exported model writes for the first rows.

    Args:
        predictor: It.
        rows: Checked.
        values: The right answers, in row order.
        most: How many rows are judged; None: all.
    """
    asked = as_requests(predictor.preprocessor, rows[:most])
    return judged_answers(predictor.task, predictor.predict(asked).answers, values[: len(asked)])


def judge_model(
    model: EncoderDecoderModel,
    task: Task,
    preprocessor: SourcePreprocessor,
    rows: Sequence[Row],
    values: Sequence[Any],
    most: int = ANSWERED_ROWS,
) -> Judged:
    """What a model writes for the first rows before it is exported.

    Args:
        model: It.
        task: The fitted task.
        preprocessor: The fitted preprocessor.
        rows: Checked.
        values: The right answers, in row order.
        most: How many rows are judged.
    """
    asked = as_requests(preprocessor, rows[:most])
    texts = [""] * len(asked)
    target = preprocessor.settings.target
    longest = min(target.max_tokens, target.max_length - len(target.start_ids))
    for group, inputs in _batches(preprocessor.encode(asked)):
        for row, tokens in zip(group, _written(model, preprocessor, inputs, longest), strict=True):
            said = preprocessor.tokenizer.decode(tokens, skip_special_tokens=True)
            texts[row] = task.said({**task.answers(_NOTHING)[0], next(iter(task.AnswerModel.model_fields)): said})
    return judged_texts(task, texts, values[: len(asked)])


_NOTHING: Arrays = {"logits": np.full((1, 1, 1), ABSENT, dtype=np.float32)}


def constant_text(task: Task, train: Sequence[Any], test: Sequence[Any]) -> Judged:
    """The answer that most training rows have, for each test row; of equally frequent ones the first.

    Args:
        task: The fitted task.
        train: Right answers of the training rows.
        test: Those of the rows to answer.
    """
    common = Counter(str(value) for value in train).most_common(1)
    answer = {next(iter(task.AnswerModel.model_fields)): common[0][0] if common else ""}
    return judged_answers(task, [answer] * len(test[:ANSWERED_ROWS]), test[:ANSWERED_ROWS])


def check_written(model: EncoderDecoderModel, predictor: Any, rows: Sequence[Row]) -> int:
    """How many sources the tuned model and its graphs answer alike, token by token.

    Args:
        model: It.
        predictor: A `SourcePredictor` of the float graphs.
        rows: Of the data, checked.

    Raises:
        VerificationError: One text differs; shows where.
    """
    from tuneloop.serving.generating.options import GenerationOptions

    preprocessor = predictor.sources
    asked = as_requests(predictor.preprocessor, rows[:COMPARED_ROWS])
    for row in asked:
        one = predictor.begin(row, GenerationOptions(max_tokens=_COMPARED_TOKENS)).run()
        (expected,) = _written(model, preprocessor, one.source.inputs, one.most)
        if one.tokens != expected:
            place = next((i for i, (a, b) in enumerate(zip(expected, one.tokens, strict=False)) if a != b), -1)
            text = row[preprocessor.settings.column]
            raise VerificationError(
                f"the exported model writes another text than the tuned one: of {text!r:.80} token {place} is "
                f"{one.tokens[place : place + 3]}, not {expected[place : place + 3]}"
            )
    return len(asked)


def perplexity(logits: NDArray[np.floating]) -> dict[str, float]:
    """The perplexity of the right tokens, of their log-probabilities `[n, places, 1]`."""
    right = logits[logits > ABSENT / 2].astype(np.float64)
    return {PERPLEXITY: float(np.exp(min(-right.mean(), 700.0))) if right.size else float("inf")}


def _written(model: Any, preprocessor: SourcePreprocessor, inputs: Arrays, most: int) -> list[list[int]]:
    target = preprocessor.settings.target
    source = {name: array for name, array in inputs.items() if name not in (TARGET_IDS, SCORED)}
    found: list[list[int]] = model.greedy(
        source,
        target.start_ids,
        most,
        target.stop_ids,
        forbidden=target.forbidden_ids,
        forbidden_first=target.forbidden_first_ids,
    )
    return found


def _batches(encoded: Sequence[Encoded]) -> Iterator[tuple[Sequence[int], Arrays]]:
    for group in encoded:
        for start in range(0, len(group.rows), _BATCH):
            part = slice(start, start + _BATCH)
            yield group.rows[part], {name: array[part] for name, array in group.inputs.items()}
