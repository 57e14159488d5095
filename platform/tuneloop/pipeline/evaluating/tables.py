"""The lists of the error analysis as files: one CSV a list, and all of it as JSON."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tuneloop.artifact import write_atomic, write_json

FOLDER = "evaluation"
WHOLE = "evaluation.json"

_COLUMNS: Mapping[str, Sequence[str]] = {
    "slices": ("by", "value", "rows", "error", "rest", "p", "proven", "examples"),
    "confusions": ("right", "answered", "count", "share", "examples"),
    "mistakes": ("split", "row", "right", "answered", "weight"),
    "labels": ("split", "row", "label", "likely", "chance"),
}
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def write_tables(analysis: Mapping[str, Any], folder: Path) -> None:
    """Write `evaluation.json` and, for each list that is not empty, a CSV file.

    Args:
        analysis: As JSON values; its lists are those of `analyse`.
        folder: Where the files go.
    """
    write_json(folder / WHOLE, dict(analysis))
    for name, columns in _COLUMNS.items():
        rows = analysis.get(name) or []
        if rows:
            write_atomic(folder / f"{name}.csv", _csv(rows, columns).encode())


def _csv(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> str:
    seen = tuple(dict.fromkeys(name for row in rows for name in row.get("shown", {})))
    stream = io.StringIO()
    writer = csv.writer(stream)
    writer.writerow([*columns, *(f"column:{name}" for name in seen)])
    for row in rows:
        texts = [row.get("shown", {}).get(name, "") for name in seen]
        writer.writerow([*(_cell(row[name]) for name in columns), *map(_cell, texts)])
    return stream.getvalue()


def _cell(value: Any) -> Any:
    if isinstance(value, list):
        return " ".join(f"{one['split']}:{one['row']}" for one in value)
    # A spreadsheet would compute a text from the data that begins like a formula.
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
