"""Which format a file has, by its name."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Literal, get_args

from tuneloop.api import DataError

Format = Literal["csv", "jsonl", "parquet"]
FORMATS: tuple[Format, ...] = get_args(Format)

_SUFFIXES: dict[str, Format] = {
    ".csv": "csv",
    ".tsv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".pq": "parquet",
}


def is_packed(name: str) -> bool:
    """Whether a file of this name is compressed with gzip."""
    return name.endswith(".gz")


def format_of(name: str, forced: Format | None, option: str) -> Format:
    """The format of a file.

    Args:
        name: Its path or URL.
        forced: What the user says it is; None: its suffix says it.
        option: The option by which a user can say it, for the message.

    Raises:
        DataError: The suffix is none that is known, or the file is Parquet inside gzip.
    """
    plain = name.removesuffix(".gz")
    found = forced or _SUFFIXES.get(PurePosixPath(plain).suffix.lower())
    if found is None:
        known = ", ".join(_SUFFIXES)
        raise DataError(
            f"{name!r}: its name does not say which format it has (known: {known}, each also with .gz); "
            f"say it with {option} {'|'.join(FORMATS)}"
        )
    if found == "parquet" and is_packed(name):
        raise DataError(f"{name!r}: Parquet is compressed inside; a gzip around it cannot be read by columns")
    return found


def delimiter_of(name: str, given: str | None) -> str:
    """What separates the values of a CSV file: as given, a tab for `.tsv`, a comma elsewhere."""
    return given or ("\t" if name.removesuffix(".gz").endswith(".tsv") else ",")
