"""From what a project says to the files that are read."""

from __future__ import annotations

import difflib
import glob
from pathlib import Path

from tuneloop.api import DataError

_LISTED = 8


def find_files(root: Path, pattern: str) -> list[Path]:
    """The files that `pattern` names, sorted by path.

    Args:
        root: The project folder; relative patterns start there.
        pattern: A path, or a glob such as `data/*.jsonl` or `data/**/part-*.parquet`.

    Raises:
        DataError: No file matches; names the nearest folder that exists and the files in it.
    """
    full = root / Path(pattern).expanduser()
    if full.is_file():
        return [full]
    if full.is_dir():
        raise DataError(
            f"data.path {pattern!r} is a folder. {_inside(full)}. Name a file, or a glob such as "
            f"'{pattern.rstrip('/')}/*{next((p.suffix for p in sorted(full.iterdir()) if p.suffix), '.csv')}'"
        )
    matches = [Path(path) for path in sorted(glob.glob(str(full), recursive=True))]  # noqa: PTH207
    files = [path for path in matches if path.is_file()]
    if not files:
        near = next(parent for parent in full.parents if parent.is_dir())
        like = difflib.get_close_matches(full.name, [path.name for path in near.iterdir()], n=1)
        guess = f" Did you mean {like[0]!r}?" if like else ""
        raise DataError(f"data.path {pattern!r}: there is no such file (looked for {full}).{guess} {_inside(near)}")
    return files


def _inside(folder: Path) -> str:
    names = sorted(path.name + ("/" if path.is_dir() else "") for path in folder.iterdir())
    if not names:
        return f"The folder {folder} is empty"
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return f"The folder {folder} holds: {', '.join(names[:_LISTED])}{more}"
