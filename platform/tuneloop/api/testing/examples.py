"""Rows that contracts use where an author gives none."""

from __future__ import annotations

from typing import Any

from tuneloop.api.task import Task
from tuneloop.api.types import Columns

TEXTS = (
    "The train leaves at nine.",
    "Il treno parte alle nove.",
    "Good morning, and thank you very much!",
    "Buongiorno, e grazie mille!",
    "No",
    "Sì",
    "Where is the nearest station, please?",
    "Dov'è la stazione più vicina?",
)

ROWS: tuple[dict[str, Any], ...] = tuple(
    {
        "text": text,
        "size": float(number) - 2.5,
        "color": ("red", "green", "blue")[number % 3],
        "label": ("en", "it")[number % 2],
        "labels": [("en", "it")[number % 2], *(["long"] if len(text) > 20 else [])],
        "value": 1.5 * number - 4,
    }
    for number, text in enumerate(TEXTS)
)
"""A text, a number and a category in; a label, several labels and a value to learn."""

TARGETS = {
    "cross_entropy": "label",
    "binary_cross_entropy": "labels",
    "span": "text",
    "likelihood": "text",
    "ctc": "text",
}
"""The column to learn, by loss; for others the value."""

TABLE = {"size": "size", "color": "color"}


def task_columns(task: type[Task]) -> Columns:
    """Columns of `ROWS` for a task: its roles are texts; a task without roles reads a table."""
    inputs = dict.fromkeys(task.roles, "text") or TABLE
    return Columns(inputs, target=TARGETS.get(task.loss, "value"))
