"""Golden examples: rows with the answers a model must give before it may serve."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuneloop.api import Answer, ArtifactError, Row
from tuneloop.artifact import EXAMPLES, write_json

if TYPE_CHECKING:
    from tuneloop.serving.predictor import Predictor

TOLERANCE = 1e-3
"""How far a number of an answer may be off, absolutely or relatively: processors differ in the last bits."""
QUANTIZED_TOLERANCE = 2e-2
"""The same for a quantised graph, where a last bit can move a value to the next of 256 levels."""


def answer_each(predictor: Predictor, rows: Sequence[Row]) -> list[Answer]:
    """Answers to rows one by one: a quantised graph scales by its batch, so neighbours would change an answer.

    Whoever writes golden examples and whoever checks them must both ask in this way.
    """
    return [predictor.predict([row]).answers[0] for row in rows]


def write_examples(folder: Path, rows: Sequence[Row], answers: Sequence[Answer]) -> None:
    """Write `examples.json` into an artifact folder that is not sealed yet."""
    pairs = [{"row": dict(row), "answer": answer} for row, answer in zip(rows, answers, strict=True)]
    write_json(folder / EXAMPLES, pairs)


def read_examples(folder: Path) -> tuple[list[Row], list[Answer]]:
    """The rows and answers of an artifact's `examples.json`.

    Raises:
        ArtifactError: The file is absent, holds no example, or is something else.
    """
    path = folder / EXAMPLES
    try:
        pairs = json.loads(path.read_bytes())
        rows, answers = [pair["row"] for pair in pairs], [pair["answer"] for pair in pairs]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ArtifactError(f"{path} does not hold golden examples: {error!r}") from error
    if not rows:
        raise ArtifactError(f"{path} holds no golden example; a model that answers none may not serve")
    return rows, answers


def first_difference(expected: Any, found: Any, tolerance: float = TOLERANCE, where: str = "answer") -> str | None:
    """Where two answers differ by more than the tolerance, as a sentence; None where they do not."""
    if isinstance(expected, dict) and isinstance(found, dict) and expected.keys() == found.keys():
        pairs = [(f"{where}.{key}", expected[key], found[key]) for key in expected]
    elif isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        pairs = [(f"{where}[{i}]", a, b) for i, (a, b) in enumerate(zip(expected, found, strict=True))]
    elif _is_number(expected) and _is_number(found):
        if math.isclose(expected, found, rel_tol=tolerance, abs_tol=tolerance):
            return None
        return f"{where} is {found!r}, not {expected!r}"
    else:
        return None if expected == found else f"{where} is {found!r}, not {expected!r}"
    return next((said for name, a, b in pairs if (said := first_difference(a, b, tolerance, name))), None)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
