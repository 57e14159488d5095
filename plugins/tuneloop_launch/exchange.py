"""The folder through which a run and its processes exchange what is to be done, how far it is, and how it ended."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tuneloop.api import pack_error

JOB, RECORDS, ANSWER, FAILURES = "job.json", "records.jsonl", "answer.json", "failures.json"


def write_json(path: Path, value: Any) -> None:
    """Write a file that appears under its name only when it is whole."""
    half = path.with_suffix(".half")
    half.write_text(json.dumps(value), encoding="utf-8")
    half.replace(path)


def read_json(path: Path) -> Any:
    """What `write_json` wrote; None where there is no such file."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None


def write_error(folder: Path, attempt: int, rank: int, error: BaseException) -> None:
    """Write down what ended a process."""
    write_json(folder / f"error-{attempt}-{rank}.json", {"rank": rank, **pack_error(error)})


def read_errors(folder: Path, attempt: int) -> list[dict[str, Any]]:
    """What ended the processes of an attempt: causes before consequences."""
    found = [read_json(path) for path in sorted(folder.glob(f"error-{attempt}-*.json"))]
    return sorted(found, key=lambda error: (not error["on_purpose"], error["lost"], error["rank"]))
