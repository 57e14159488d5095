"""Reads JSON lines as a stream: one object a line, blank lines skipped, an absent key is a missing value."""

from __future__ import annotations

import itertools
import json
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, NoReturn

from tuneloop.api import DataError
from tuneloop.serving.offline.places import Place, opened
from tuneloop.serving.offline.record import Record, Table, from_json

HEAD = 1000
"""Records that are read to see which columns there are."""
_MOST_BYTES = 64 << 20
"""Of one line."""


@contextmanager
def read_jsonl(place: Place) -> Iterator[Table]:
    """Open a file of JSON lines, UTF-8, plain or packed.

    Raises:
        DataError: While reading: it is cut off, or a line has more than 64 MiB.
    """
    with opened(place) as (content, raw):
        records = _records(place.name, content)
        head = tuple(itertools.islice(records, HEAD))
        columns = tuple(dict.fromkeys(key for record in head for key in record.values))
        size = place.size

        def done() -> float:
            return min(raw.tell() / size, 1.0) if size and not raw.closed else 1.0

        yield Table(columns, itertools.chain(head, records), done, from_json, open_columns=True, head=head)


def _records(name: str, content: BinaryIO) -> Iterator[Record]:
    for number in itertools.count(1):
        try:
            line = content.readline(_MOST_BYTES + 1)
        except (OSError, EOFError, zlib.error) as error:
            raise DataError(f"{name} cannot be read after line {number - 1}: {error}") from error
        if not line:
            return
        if len(line) > _MOST_BYTES:
            raise DataError(f"{name}, line {number}: it has more than {_MOST_BYTES} bytes")
        if line.strip():
            yield _record(name, number, line.rstrip(b"\r\n"))


def _record(name: str, number: int, line: bytes) -> Record:
    def broken(reason: str) -> Record:
        return Record(name, "line", number, {}, reason, line.decode("utf-8", "replace").strip()[:1000])

    try:
        values: Any = json.loads(line.decode("utf-8-sig" if number == 1 else "utf-8"), parse_constant=_refuse)
    except UnicodeDecodeError as error:
        return broken(f"not UTF-8 text (byte {error.start} of the line)")
    except json.JSONDecodeError as error:
        return broken(f"not valid JSON: {error.msg} at character {error.colno}")
    except (ValueError, RecursionError) as error:
        return broken(f"not valid JSON: {error}")
    return Record(name, "line", number, values) if isinstance(values, dict) else broken("not a JSON object")


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON number")
