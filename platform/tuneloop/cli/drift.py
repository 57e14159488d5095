"""`tuneloop drift`."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tuneloop.api import DataError, TuneloopError
from tuneloop.config.durations import parse_duration

if TYPE_CHECKING:
    from tuneloop.monitoring.offline.study import Settings
    from tuneloop.report.drift import DriftReport

EXIT_DRIFT = 3
"""With `--fail-on-drift`: 1 and 2 are taken by faults and by what the user can mend."""
_OUTPUT = "drift.html"


@click.group()
def drift() -> None:
    """Compare rows at rest: did the world change, in what, and how sure is that?"""


@drift.command()
@click.option("--reference", metavar="FILE", help="The rows to compare with: CSV, JSON lines or Parquet; or a glob.")
@click.option("--current", metavar="FILE", help="The rows in question.")
@click.option("--store", is_flag=True, help="The rows in question are those the project's model answered last.")
@click.option("--store-url", metavar="URL", help="The prediction store; by default that of the project.")
@click.option("--last", metavar="TIME", help="With --store: only rows of the last 6h, 7d, ...; by default all times.")
@click.option("--most", type=click.IntRange(1), default=5000, show_default=True, help="With --store: rows, at most.")
@click.option(
    "-p",
    "--project",
    type=click.Path(path_type=Path),
    help="Compare the signals of this project's champion; otherwise columns are compared.",
)
@click.option("--artifact", metavar="FOLDER", help="Compare the signals of the model in this artifact or Bento.")
@click.option("-o", "--output", type=click.Path(path_type=Path), default=_OUTPUT, show_default=True, help="HTML page.")
@click.option("--json", "document", type=click.Path(path_type=Path), help="Write the figures as JSON too.")
@click.option("--exclude", multiple=True, metavar="NAME", help="Column or signal to leave out; may be repeated.")
@click.option(
    "--include", multiple=True, metavar="NAME", help="Column to compare though it looks like a time or an identifier."
)
@click.option(
    "--alpha", type=click.FloatRange(0.0001, 0.5), default=0.05, show_default=True, help="Chance of a false alarm."
)
@click.option(
    "--psi", type=click.FloatRange(0), help="Least PSI that is drift; by default the project's monitor.psi, or 0.05."
)
@click.option(
    "--permutations",
    type=click.IntRange(0, 100_000),
    default=99,
    show_default=True,
    help="Shuffles of the test of all signals together; 0 leaves it out.",
)
@click.option(
    "--joint-rows", type=click.IntRange(50), default=1000, show_default=True, help="Rows of each side for that test."
)
@click.option(
    "--rows", type=click.IntRange(0), default=10, show_default=True, help="Rows to show; 0: no data in the report."
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of everything drawn by chance.")
@click.option("--fail-on-drift", is_flag=True, help=f"End with exit code {EXIT_DRIFT} where there is drift.")
@click.pass_context
def report(
    ctx: click.Context,
    /,
    reference: str | None,
    current: str | None,
    project: Path | None,
    artifact: str | None,
    output: Path,
    document: Path | None,
    exclude: tuple[str, ...],
    include: tuple[str, ...],
    fail_on_drift: bool,
    **options: Any,
) -> None:
    """Test every column, or every signal of a model, and all together; write what was found as a page.

    With --project or --artifact rows are answered by the model, and its signals are compared: columns, length, answer,
    confidence, embedding. Without --reference they are compared with the model's own holdout.
    """
    if options["store"] == (current is not None):
        raise click.UsageError("name the rows in question with either --current FILE or --store")
    if project is not None and artifact is not None:
        raise click.UsageError("name either --project or --artifact")
    if project is None and (options["store"] or options["store_url"]):
        raise click.UsageError("--store needs --project: rows are those of its model")
    if project is None and artifact is None:
        if reference is None:
            raise click.UsageError("name the rows to compare with: --reference FILE, or --project, or --artifact")
        made = _tables(reference, str(current), _settings(options, None), exclude, include)
    else:
        if include:
            raise click.UsageError("--include is for columns; signals of a model are all compared")
        made = _signals(project, artifact, reference, current, exclude, options)
    _write(made, output, document)
    if fail_on_drift and made.study.outcome == "drift":
        ctx.exit(EXIT_DRIFT)


def _settings(options: dict[str, Any], psi: float | None) -> Settings:
    from tuneloop.monitoring.offline.study import Settings

    given = options["psi"] if options["psi"] is not None else psi
    return Settings(
        alpha=options["alpha"],
        psi=Settings().psi if given is None else given,
        permutations=options["permutations"],
        joint_rows=options["joint_rows"],
        telling=options["rows"],
        seed=options["seed"],
    )


def _tables(
    reference: str, current: str, settings: Settings, exclude: tuple[str, ...], include: tuple[str, ...]
) -> DriftReport:
    from tuneloop.report.drift.tables import compare_tables

    read = _reader()
    sides = [
        (place, {name: list(rows[name]) for name in rows.column_names})
        for place, rows in _both(read, reference, current)
    ]
    return compare_tables(sides[0], sides[1], settings, exclude=exclude, include=include, told=_tell)


def _both(read: Callable[[str], Any], *places: str) -> list[tuple[str, Any]]:
    return [(place, read(place)) for place in places]


def _signals(
    project: Path | None,
    artifact: str | None,
    reference: str | None,
    current: str | None,
    exclude: tuple[str, ...],
    options: dict[str, Any],
) -> DriftReport:
    from tuneloop.cli.predict_model import open_model
    from tuneloop.cli.project import load
    from tuneloop.report.drift.models import compare_answered

    chosen = None if project is None else load(project)[0]
    loaded = open_model(artifact or "champion", project, "auto")
    read = _reader()
    before = None if reference is None else (reference, list(read(reference)))
    if chosen is None:
        now = (str(current), list(read(str(current))))
        return compare_answered(loaded, before, now, _settings(options, None), exclude=exclude, told=_tell)
    now = _stored(chosen, options) if current is None else (current, list(read(current)))
    settings = _settings(options, chosen.monitor.psi)
    left_out = (*exclude, *chosen.monitor.exclude)
    return compare_answered(loaded, before, now, settings, exclude=left_out, told=_tell)


def _stored(chosen: Any, options: dict[str, Any]) -> tuple[str, list[Any]]:
    from tuneloop.monitoring.offline.stored import recent_rows
    from tuneloop.serving.server import default_store_url

    last = options["last"]
    try:
        since = None if last is None else time.time() - parse_duration(last)
    except ValueError as error:
        raise click.UsageError(f"--last {last!r} is no length of time: {error}") from error
    url = options["store_url"] or default_store_url(chosen.state)
    rows = recent_rows(url, chosen.name, since=since, most=options["most"])
    return f"what {chosen.name} answered" + (f" in the last {last}" if last else " last"), rows


def _reader() -> Callable[[str], Any]:
    """Reads a file by the data source that its name calls for."""
    from tuneloop.cli.project import load_plugins
    from tuneloop.serving.offline.formats import delimiter_of, format_of

    plugins = load_plugins()

    def read(place: str) -> Any:
        name = format_of(place, None, "its suffix:")
        options = {"path": place} | ({"delimiter": delimiter_of(place, None)} if name == "csv" else {})
        try:
            return plugins.create("data source", name, options).load(Path.cwd())
        except DataError as error:
            raise DataError(f"{place}: {error}") from error

    return read


def _write(made: DriftReport, output: Path, document: Path | None) -> None:
    from tuneloop.artifact import write_atomic
    from tuneloop.report.drift import as_json, as_lines, write_page

    try:
        write_page(made, output)
        if document is not None:
            write_atomic(document, (json.dumps(as_json(made), indent=1, allow_nan=False) + "\n").encode())
    except OSError as error:
        raise TuneloopError(f"{error.filename or output} cannot be written: {error.strerror}") from error
    for line in as_lines(made):
        click.echo(line)
    click.echo(f"page: {output}")


def _tell(text: str) -> None:
    click.echo(text, err=True)
