"""One call in a process of its own: `python -m tuneloop_launch.alone FOLDER PARENT`."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from tuneloop.api import call
from tuneloop_launch.exchange import ANSWER, JOB, read_json, write_error, write_json
from tuneloop_launch.parent import end_with


def main(folder: Path, parent: int) -> int:
    """Call what the folder says; 0 where it gave an answer."""
    end_with(parent)
    job = read_json(folder / JOB)
    try:
        write_json(folder / ANSWER, {"answer": call(job["entry"], job["argument"], _dropped)})
    except Exception as error:
        write_error(folder, 0, 0, error)
        return 1
    return 0


def _dropped(record: Mapping[str, float]) -> None:
    """Nobody listens to one of many."""


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2])))
