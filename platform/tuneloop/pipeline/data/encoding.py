"""A split encoded for training, part by part: it need not fit into memory, and several processes share the work.

Parts have a fixed number of rows, whoever makes them, so that any number of processes gives the same files.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import multiprocessing
import os
import shutil
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tuneloop.api import NO_PLACE, Columns, Preprocessor, RunError, Task
from tuneloop.artifact import sha256_file, write_json
from tuneloop.pipeline.data.encoded import as_dataset, check_rows, names_of
from tuneloop.pipeline.data.rows import model_rows, open_rows, truths
from tuneloop.pipeline.runs.cache import fresh

if TYPE_CHECKING:
    from datasets import Dataset

PART_ROWS = 10_000
MANY_ROWS = 100_000
"""From so many rows on, all cores take part by default: a process takes seconds to start."""
_PARTS, _STATE, _INFO = "parts", "state.json", "dataset_info.json"


@dataclass(frozen=True, slots=True)
class Encoding:
    """All that a process needs to encode a part of a split; small enough to be sent.

    Attributes:
        rows: The folder of the split.
        columns: The roles of its columns.
        task: Its class.
        state: Its state.
        preprocessor: Its class.
        settings: The folder it was saved to.
        target: Where the encoded split goes.
        part: Rows of a part.
    """

    rows: Path
    columns: Columns
    task: type[Task]
    state: Mapping[str, Any]
    preprocessor: type[Preprocessor]
    settings: Path
    target: Path
    part: int = PART_ROWS


@dataclass(frozen=True, slots=True)
class _Part:
    """A written part: positions of its rows in the split, the SHA-256 of its file, the width of its labels."""

    known: NDArray[np.int64]
    sha256: str
    width: int | None


def process_count(rows: int, wanted: int | None) -> int:
    """How many processes encode so many rows: as wanted, or all cores where there are many rows, or one."""
    most = max(1, -(-rows // PART_ROWS))
    if wanted is not None:
        return min(wanted, most)
    return min(len(os.sched_getaffinity(0)), most) if rows >= MANY_ROWS else 1


def encode_split(encoding: Encoding, processes: int) -> NDArray[np.int64]:
    """Write the encoded rows of a split as a data set; gives the positions in the split of those that were taken.

    Args:
        encoding: What is encoded, by what.
        processes: How many do it; they are spawned, as a fork after torch was imported may hang.

    Raises:
        DataError: A row does not fit the preprocessor; names it.
        RunError: A process was ended from outside, as where memory ran out.
    """
    parts = fresh(encoding.target.with_name(f"{encoding.target.name}-{_PARTS}"))
    count = len(open_rows(encoding.rows))
    starts = range(0, max(count, 1), encoding.part)
    with _made(encoding, processes) as submit:
        done = [submit(parts, number, start) for number, start in enumerate(starts)]
        found = [one.result() for one in done]
    widths = {part.width for part in found if len(part.known)}
    if len(widths) > 1:
        # A text of a later part may have more words than all those before.
        _widen(encoding, parts, found, max(width for width in widths if width is not None))
    _join(parts, fresh(encoding.target), found)
    shutil.rmtree(parts)
    return np.concatenate([part.known for part in found])


class _Here:
    """The one process."""

    def __init__(self, encoding: Encoding) -> None:
        self._worker = _Worker(encoding)

    def __call__(self, parts: Path, number: int, start: int) -> Future[_Part]:
        done: Future[_Part] = Future()
        done.set_result(self._worker.encode(parts, number, start))
        return done


@contextlib.contextmanager
def _made(encoding: Encoding, processes: int) -> Iterator[Any]:
    if processes == 1:
        yield _Here(encoding)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=context, initializer=_begin, initargs=(encoding,)) as pool:
        try:
            yield lambda parts, number, start: pool.submit(_encode, parts, number, start)
        except BrokenProcessPool as error:
            raise RunError(
                "a process that encodes rows was ended from outside, perhaps because memory ran out; the run can be "
                "resumed, with fewer of them by data.processes"
            ) from error
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


class _Worker:
    """Encodes parts in one process."""

    def __init__(self, encoding: Encoding) -> None:
        self._encoding = encoding
        self._rows = open_rows(encoding.rows)
        self._task = encoding.task.from_state(encoding.state)
        self._preprocessor = encoding.preprocessor.load(encoding.settings)

    def encode(self, parts: Path, number: int, start: int) -> _Part:
        rows = self._rows.select(range(start, min(start + self._encoding.part, len(self._rows))))
        columns = self._encoding.columns
        asked = model_rows(rows, columns)
        checked = check_rows(self._preprocessor, asked, start, names_of(rows, columns))
        targets = self._task.targets_to(checked, truths(rows, columns))
        known = learnable_rows(self._task, targets)
        encoded = self._preprocessor.encode([checked[i] for i in known])
        data = as_dataset(encoded, targets[known], self._preprocessor.tensors)
        return _write(data, parts / f"{number:06}", known + start)


def _write(data: Dataset, folder: Path, known: NDArray[np.int64]) -> _Part:
    from datasets.utils import disable_progress_bars

    disable_progress_bars()
    data.save_to_disk(str(folder), num_shards=1)
    labels = data.features["labels"]
    return _Part(known, sha256_file(_file(folder)), getattr(labels, "length", None))


def _file(folder: Path) -> Path:
    (found,) = folder.glob("*.arrow")
    return found


_worker: _Worker | None = None


def _begin(encoding: Encoding) -> None:
    global _worker
    _worker = _Worker(encoding)


def _encode(parts: Path, number: int, start: int) -> _Part:
    assert _worker is not None
    return _worker.encode(parts, number, start)


def _widen(encoding: Encoding, parts: Path, found: list[_Part], width: int) -> None:
    from datasets import Dataset

    preprocessor = encoding.preprocessor.load(encoding.settings)
    for number, part in enumerate(found):
        if part.width == width:
            continue
        folder = parts / f"{number:06}"
        data = open_rows(folder)
        table = data.with_format("arrow")[:]
        labels = np.asarray(data.with_format("numpy")["labels"][:]).reshape(len(data), -1)
        padded = np.pad(labels, ((0, 0), (0, width - labels.shape[1])), constant_values=NO_PLACE)
        like = as_dataset([], padded[:0], preprocessor.tensors).features
        columns = {name: table[name] for name in table.column_names if name != "labels"}
        wide = Dataset.from_dict({**{n: c.to_pylist() for n, c in columns.items()}, "labels": padded}, features=like)
        shutil.rmtree(folder)
        found[number] = _write(wide, folder, part.known)


def _join(parts: Path, target: Path, found: list[_Part]) -> None:
    """The parts as one data set; its fingerprint is that of its content."""
    kept = [number for number, part in enumerate(found) if len(part.known)] or [0]
    first = parts / f"{kept[0]:06}"
    state = json.loads((first / _STATE).read_bytes())
    names = [f"data-{place:05}-of-{len(kept):05}.arrow" for place in range(len(kept))]
    for name, number in zip(names, kept, strict=True):
        _file(parts / f"{number:06}").rename(target / name)
    digest = hashlib.sha256("".join(found[number].sha256 for number in kept).encode()).hexdigest()
    shutil.copy(first / _INFO, target / _INFO)
    state |= {"_data_files": [{"filename": name} for name in names], "_fingerprint": digest[:16]}
    write_json(target / _STATE, state)


def learnable_rows(task: Task, targets: NDArray[Any]) -> NDArray[np.int64]:
    """Positions of the rows that are encoded.

    A label that no training row has cannot be learned from; it still counts where answers are judged.
    """
    learnable = targets >= 0 if task.loss in ("cross_entropy", "span") else np.ones(len(targets), dtype=bool)
    return np.flatnonzero(learnable.reshape(len(targets), -1).any(axis=1))
