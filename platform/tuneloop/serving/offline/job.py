"""What is to be scored, and how it ended."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tuneloop.api import DataError
from tuneloop.serving.live import CHUNK_ROWS
from tuneloop.serving.offline.formats import Format
from tuneloop.serving.offline.journal import Counts
from tuneloop.storage import is_url

OnError = Literal["stop", "skip", "null"]
WINDOW_ROWS = 4096


@dataclass(frozen=True, slots=True)
class BatchJob:
    """What is to be scored.

    Attributes:
        inputs: Paths, globs and fsspec URLs.
        output: Path or URL of the file to write.
        keep: Columns of the input that go to the output; empty: the record's number; None: all.
        prefix: Before the names of the answers' fields.
        on_error: What a refused record does: end the job, be left out, or be written without an answer.
        rejects: Where refused records go; None: beside the output, with `.rejects.jsonl` behind its name.
        input_format: Of all inputs; None: by their suffixes.
        output_format: Of the output; None: by its suffix.
        delimiter: Of CSV files read; None: by their suffixes.
        batch_rows: Rows of one call of the model, at most.
        window_rows: Rows that are sorted by length, written and made durable together.
        threads: Calls of the model at the same time.
        work: Folder of the unfinished job; None: beside the output.
        overwrite: Replace an output that is there.
        restart: Throw away an unfinished job.
    """

    inputs: tuple[str, ...]
    output: str
    keep: tuple[str, ...] | None = ()
    prefix: str = ""
    on_error: OnError = "stop"
    rejects: str | None = None
    input_format: Format | None = None
    output_format: Format | None = None
    delimiter: str | None = None
    batch_rows: int = CHUNK_ROWS
    window_rows: int = WINDOW_ROWS
    threads: int = 1
    work: Path | None = None
    overwrite: bool = False
    restart: bool = False

    @property
    def rejects_file(self) -> str:
        """Where refused records go."""
        return self.rejects or f"{self.output}.rejects.jsonl"

    @property
    def folder(self) -> Path:
        """The folder of the unfinished job.

        Raises:
            DataError: The output is a URL, and no folder was named.
        """
        if self.work is not None:
            return self.work
        if is_url(self.output):
            raise DataError(
                f"the output {self.output} is a URL: name a local folder for the unfinished job with --work"
            )
        path = Path(self.output)
        return path.with_name(f"{path.name}.partial")


@dataclass(frozen=True, slots=True)
class BatchResult:
    """How a job ended.

    Attributes:
        counts: Of all attempts together.
        resumed: Rows that an earlier attempt had finished.
        seconds: Wall time of this attempt.
        rejects: Where refused records are; None: there are none.
    """

    counts: Counts
    resumed: int
    seconds: float
    rejects: str | None
