"""Score files: read, answer, write; killed at any moment, the same call goes on and gives the same bytes."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from tuneloop.api import Answer, DataError, Launcher
from tuneloop.serving.loader import Loaded
from tuneloop.serving.offline.deliver import concatenate, put
from tuneloop.serving.offline.elsewhere import Answered, answered_by
from tuneloop.serving.offline.inputs import Window
from tuneloop.serving.offline.job import BatchJob, BatchResult
from tuneloop.serving.offline.journal import Counts, Journal, open_journal, unfinished
from tuneloop.serving.offline.pace import Pace
from tuneloop.serving.offline.places import changed, exists
from tuneloop.serving.offline.plan import Plan, make_plan
from tuneloop.serving.offline.rejects import refused_error, reject_line
from tuneloop.serving.offline.scorer import Refusal, Scorer
from tuneloop.serving.offline.write import Writer
from tuneloop.storage import is_url

T = TypeVar("T")


def score_files(
    loaded: Loaded,
    job: BatchJob,
    listen: Callable[[Pace], None] = lambda _: None,
    clock: Callable[[], float] = time.monotonic,
    launcher: Launcher | None = None,
) -> BatchResult:
    """Answer every record of the inputs, in their order.

    Args:
        loaded: The model.
        job: What is to be scored.
        listen: Told after every window.
        clock: Seconds.
        launcher: Whose processes answer, as many as the job's threads; None: threads of this process do.

    Raises:
        DataError: An input cannot be read or lacks a column; a record is refused and the job says `stop`; the output is
            there already; or an unfinished job in its place is another one.
        MissingExtraError: Parquet is read or written without pyarrow.
    """
    begun = clock()
    if not (job.overwrite or unfinished(job.folder)):
        for name, option in ((job.output, "--output"), (job.rejects_file, "--rejects")):
            if exists(name):
                raise DataError(f"{option} {name} is there already; replace it with --overwrite")
    plan = make_plan(loaded, job)
    with open_journal(job.folder, plan.identity, job.on_error, restart=job.restart) as journal:
        before = journal.counts

        def tell(window: Window, start: float) -> None:
            now, fresh = journal.counts, journal.counts.read - before.read
            listen(Pace(now.read, now.refused, window.done, clock() - begun, fresh, max(window.done - start, 0.0)))

        _score(loaded, job, plan, journal, tell, launcher)
        for place in plan.inputs.places:
            if changed(place):
                raise DataError(f"{place.name} was changed while it was read; run again with --restart")
        _deliver(job, plan.writer, journal)
        journal.remove()
    counts = journal.counts
    return BatchResult(counts, before.read, clock() - begun, job.rejects_file if counts.refused else None)


def _score(
    loaded: Loaded,
    job: BatchJob,
    plan: Plan,
    journal: Journal,
    tell: Callable[[Window, float], None],
    launcher: Launcher | None,
) -> None:
    """Every window that is not finished. `tell` gets it, and the share of the input finished before the first."""
    read, start = journal.counts.read, None
    windows = plan.inputs.windows(job.window_rows, skip=len(journal.parts()))
    if launcher is None:
        done = _answered_here(loaded, job, windows)
    else:
        done = answered_by(launcher, loaded, job.batch_rows, job.threads, windows)
    with contextlib.closing(done):
        for window, answers, refused in done:
            if start is None:
                start = window.done * read / (read + len(window.records))
            if refused and job.on_error == "stop":
                place = min(refused)
                raise refused_error(window, place, refused[place])
            _keep(job, plan, journal, window, answers, refused)
            tell(window, start)


def _answered_here(loaded: Loaded, job: BatchJob, windows: Iterator[Window]) -> Generator[Answered, None, None]:
    with ThreadPoolExecutor(job.threads, thread_name_prefix="tuneloop-compute") as pool:
        scorer = Scorer(loaded, pool, job.batch_rows)
        for prepared in _ahead(map(scorer.prepare, windows)):
            yield prepared.window, *scorer.answer(prepared)


def _keep(
    job: BatchJob,
    plan: Plan,
    journal: Journal,
    window: Window,
    answers: Sequence[Answer | None],
    refused: Mapping[int, Refusal],
) -> None:
    rows = [
        plan.layout.values(window.first + i, record, answer)
        for i, (record, answer) in enumerate(zip(window.records, answers, strict=True))
        if i not in refused or job.on_error == "null"
    ]
    rejects = b"".join(reject_line(window, place, refused[place]) for place in sorted(refused))
    journal.add(plan.writer.part(rows), rejects, Counts(len(window.records), len(rows), len(refused)))


def _deliver(job: BatchJob, writer: Writer, journal: Journal) -> None:
    """Put the files in their places; the output last: where it is, the job is finished."""
    rejects = journal.rejects()
    if rejects:
        put(job.rejects_file, journal.folder, lambda target: concatenate(rejects, target))
    elif not is_url(job.rejects_file):
        # That of an output which is replaced now.
        Path(job.rejects_file).unlink(missing_ok=True)
    put(job.output, journal.folder, lambda target: writer.join(journal.parts(), target))


def _ahead(items: Iterator[T]) -> Iterator[T]:
    """The same items; the next one is made in a thread while this one is used."""
    done: list[T] = []

    def make() -> bool:
        for item in items:
            done.append(item)
            return True
        return False

    with ThreadPoolExecutor(1, thread_name_prefix="tuneloop-read") as pool:
        coming = pool.submit(make)
        while coming.result():
            item = done.pop()
            coming = pool.submit(make)
            yield item
