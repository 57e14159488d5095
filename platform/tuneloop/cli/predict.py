"""`tuneloop predict`."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click

from tuneloop.cli import project as shared
from tuneloop.serving.device import VARIABLE, Device
from tuneloop.serving.offline.formats import FORMATS

if TYPE_CHECKING:
    from tuneloop.api import Launcher
    from tuneloop.serving.offline import BatchResult, Pace

_QUIET_SECONDS = 10.0
"""Between two lines of progress where there is no terminal."""


@click.command()
@click.argument("model", metavar="[MODEL]", default="champion")
@click.option("--input", "inputs", multiple=True, required=True, help="File, glob or URL to read; may be repeated.")
@click.option("--output", required=True, help="File or URL to write: .csv, .jsonl or .parquet, the first two also .gz.")
@click.option("--keep", multiple=True, help="Input column for the output, such as an id; may be repeated.")
@click.option("--all-columns", is_flag=True, help="Keep all input columns.")
@click.option("--prefix", default="", help="Text before the names of the answers' columns.")
@click.option(
    "--on-error",
    type=click.Choice(["stop", "skip", "null"]),
    default="stop",
    show_default=True,
    help="What a record does that the model refuses: end the job, be left out, or be written without an answer.",
)
@click.option("--rejects", help="File for refused records; by default OUTPUT.rejects.jsonl.")
@click.option("--format", "input_format", type=click.Choice(FORMATS), help="Of the inputs; by default by their names.")
@click.option("--output-format", type=click.Choice(FORMATS), help="Of the output; by default by its name.")
@click.option("--delimiter", help="What separates the values of CSV inputs; by default a comma, in .tsv a tab.")
@click.option(
    "--batch-size", type=click.IntRange(1, 4096), default=32, show_default=True, help="Rows of one call, at most."
)
@click.option(
    "--window",
    type=click.IntRange(1),
    default=4096,
    show_default=True,
    help="Rows that are sorted by length, and made durable, together.",
)
@click.option(
    "--threads",
    type=click.IntRange(1, 256),
    help="Calls, or processes of a cluster, at a time; by default one a processor.",
)
@click.option(
    "--device",
    type=click.Choice(get_args(Device)),
    envvar=VARIABLE,
    default="auto",
    show_default=True,
    help="Where the model runs.",
)
@click.option(
    "--ray",
    metavar="[ADDRESS]",
    is_flag=False,
    flag_value="local",
    help="Let processes of a Ray cluster answer: of one on this machine (local, the default), auto, or HOST:PORT.",
)
@click.option("--work", type=click.Path(path_type=Path, file_okay=False), help="Folder of the unfinished job.")
@click.option("--overwrite", is_flag=True, help="Replace an output that is there.")
@click.option("--restart", is_flag=True, help="Throw away what an unfinished job has done.")
@shared.project_option
def predict(
    model: str,
    inputs: tuple[str, ...],
    device: Device,
    all_columns: bool,
    keep: tuple[str, ...],
    batch_size: int,
    window: int,
    threads: int | None,
    ray: str | None,
    project: Path | None,
    **options: Any,
) -> None:
    """Answer every record of CSV, JSON lines or Parquet files with MODEL.

    MODEL is a version of the project's model (NAME, NAME:3 or NAME@challenger; 3 or challenger will do), by default
    the champion, or the path of an artifact folder or a Bento. The output has the records in the order of the input:
    the columns kept (without any, the record's number) and the fields of the answer.

    It can be killed at any moment: the same command goes on after the last finished window, and the output is the same
    to the byte.
    """
    if all_columns and keep:
        raise click.UsageError("--all-columns and --keep cannot both be given")
    from tuneloop.cli.predict_model import open_model
    from tuneloop.serving.offline import BatchJob, score_files

    loaded = open_model(model, project, device)
    job = BatchJob(
        inputs=inputs,
        keep=None if all_columns else keep,
        threads=threads or len(os.sched_getaffinity(0)),
        batch_rows=batch_size,
        window_rows=window,
        **options,
    )
    named = f"{loaded.artifact.manifest.model} version {loaded.version}" if loaded.version else model
    click.echo(f"{named} answers {', '.join(inputs)}", err=True)
    try:
        with _progress_shown() as listen:
            result = score_files(loaded, job, listen, launcher=_ray(ray))
    except KeyboardInterrupt:
        click.echo("what is finished is kept; the same command goes on", err=True)
        raise
    _conclude(job.output, result)


def _ray(address: str | None) -> Launcher | None:
    """The launcher whose processes answer; None: this process does."""
    if address is None:
        return None
    from tuneloop.plugins import default_manager

    launcher: Launcher = default_manager().create("launcher", "ray", {"address": address})
    return launcher


def _conclude(output: str, result: BatchResult) -> None:
    counts = result.counts
    fresh = counts.read - result.resumed
    rate = f", {fresh / result.seconds:,.0f} rows/s" if fresh and result.seconds > 0 else ""
    click.echo(f"{counts.written:,} rows in {output} ({result.seconds:.1f} s{rate})")
    if result.resumed:
        click.echo(f"  {result.resumed:,} rows were finished by an earlier attempt")
    if result.rejects:
        click.echo(
            f"  {counts.refused:,} of {counts.read:,} records were refused; each with its reason: {result.rejects}"
        )


@contextmanager
def _progress_shown() -> Iterator[Callable[[Pace], None]]:
    """A listener that shows progress: a bar on a terminal, a line now and then elsewhere."""
    out = shared.console(stderr=True)
    if not out.is_terminal:
        yield _lines(time.monotonic)
        return
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

    columns = (BarColumn(), TaskProgressColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=out, transient=True) as bar:
        task = bar.add_task("reading", total=1.0)

        def listen(pace: Pace) -> None:
            bar.update(task, completed=pace.done, description=figures(pace))

        yield listen


def _lines(clock: Callable[[], float]) -> Callable[[Pace], None]:
    last = clock()

    def listen(pace: Pace) -> None:
        nonlocal last
        if clock() - last >= _QUIET_SECONDS:
            last = clock()
            click.echo(f"  {pace.done:4.0%}  {figures(pace)}", err=True)

    return listen


def figures(pace: Pace) -> str:
    """Rows, refusals, throughput and the time left, in one line."""
    refused = f", {pace.refused:,} refused" if pace.refused else ""
    left = pace.left
    rest = f", {_duration(left)} left" if left is not None else ""
    return f"{pace.rows:,} rows{refused}, {pace.rate:,.0f} rows/s{rest}"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
