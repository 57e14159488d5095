"""Data source `jsonl`."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

from tuneloop.api import DataError
from tuneloop_files.source import FileSource


class Jsonl(FileSource):
    """One JSON object a line, UTF-8, plain or `.gz`; blank lines are skipped, absent keys are missing values."""

    name = "jsonl"

    def read(self, file: Path) -> Any:
        """One file; columns are all keys, in order of appearance.

        Raises:
            DataError: A line is no JSON object, or a key holds values of different types; names the line.
        """
        import pyarrow

        rows = _rows(file)
        columns = list(dict.fromkeys(key for _, row in rows for key in row))
        arrays = {}
        for name in columns:
            values = [row.get(name) for _, row in rows]
            try:
                arrays[name] = pyarrow.array(values)
            except (pyarrow.ArrowInvalid, pyarrow.ArrowTypeError, OverflowError) as error:
                raise DataError(f"{file}: {_mixed(name, rows)}") from error
        return pyarrow.table(arrays)


def _rows(file: Path) -> list[tuple[int, dict[str, Any]]]:
    rows = []
    number = 0
    try:
        with gzip.open(file, "rb") if file.suffix == ".gz" else file.open("rb") as lines:
            for number, line in enumerate(lines, start=1):
                if not line.strip():
                    continue
                row = json.loads(line.decode("utf-8-sig" if number == 1 else "utf-8"))
                if not isinstance(row, dict):
                    raise DataError(
                        f"{file}, line {number}: expected a JSON object, found {line.strip()[:80].decode()!r}"
                    )
                rows.append((number, row))
    except json.JSONDecodeError as error:
        raise DataError(
            f"{file}, line {number}: not valid JSON ({error.msg} at character {error.colno}): "
            f"{error.doc.strip()[:80]!r}"
        ) from error
    except UnicodeDecodeError as error:
        raise DataError(f"{file}, line {number}: not UTF-8 text (byte {error.start} of the line)") from error
    except (OSError, EOFError) as error:
        raise DataError(f"{file} cannot be read after line {number}: {error}") from error
    return rows


def _mixed(name: str, rows: list[tuple[int, dict[str, Any]]]) -> str:
    seen: dict[str, tuple[int, Any]] = {}
    for number, row in rows:
        value = row.get(name)
        if value is not None:
            seen.setdefault(type(value).__name__, (number, value))
    found = "; ".join(f"line {number} has {value!r:.60} ({kind})" for kind, (number, value) in seen.items())
    return f"key {name!r} holds values that do not fit one column: {found}"
