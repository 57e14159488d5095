"""`tuneloop init`."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import click

from tuneloop.api import ConfigError, TuneloopError
from tuneloop.cli.guess import (
    Guess,
    clock_warnings,
    guess_columns,
    guess_transcripts,
    read_sample,
    sound_column,
)
from tuneloop.cli.project import load_plugins
from tuneloop.cli.stocks import TASKS
from tuneloop.cli.template import render
from tuneloop.config import PROJECT_FILE, parse_project

SOURCES = {
    ".csv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
}


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), default=Path())
@click.option("--task", type=click.Choice(list(TASKS)), help="The kind of problem; otherwise guessed from the data.")
@click.option("--data", type=click.Path(path_type=Path), help="CSV, JSONL or Parquet file; its columns are read.")
@click.option("--name", help="Name of the project; otherwise that of the folder.")
@click.option("--text", help="Column with the text; otherwise guessed.")
@click.option("--target", help="Column with the answer; otherwise guessed.")
@click.option("--force", is_flag=True, help="Overwrite a tuneloop.yaml that is there.")
def init(
    folder: Path,
    task: str | None,
    data: Path | None,
    name: str | None,
    text: str | None,
    target: str | None,
    force: bool,
) -> None:
    """Write a commented tuneloop.yaml into FOLDER (the current one by default).

    With --data, source, columns and task are guessed from the file; look at them before the first run.
    """
    file = folder / PROJECT_FILE
    if file.exists() and not force:
        raise TuneloopError(f"{file} is there already. Look at it, or overwrite it with --force.")
    source, guess = _look(data, task, text, target)
    content = render(
        name=_project_name(name or folder.resolve().name),
        source=source,
        path=_data_path(data, folder, source),
        guess=guess,
    )
    try:
        parse_project(content.encode(), file, load_plugins())
    except ConfigError as error:
        if name is not None or text is not None or target is not None:
            raise
        raise TuneloopError(f"the built-in plugins this file needs are not all loaded. {error}") from error
    _write(file, content)
    click.echo(f"Wrote {file}: {guess.task}, answer in column {guess.target!r}.")
    shown = "" if folder.resolve() == Path.cwd() else f" --project {shlex.quote(str(folder))}"
    click.echo(f"Look it over, then: tuneloop run{shown}")


def _look(data: Path | None, task: str | None, text: str | None, target: str | None) -> tuple[str, Guess]:
    """The data source and what the data seems to hold."""
    if data is None:
        chosen = task or "text-classification"
        stock = TASKS[chosen]
        return stock.source, Guess(chosen, target or stock.target, text or stock.text, stock.key)
    source = SOURCES.get(data.suffix.lower())
    if source is None:
        raise TuneloopError(f"{data}: no data source for {data.suffix or 'no suffix'!r}. Known: {', '.join(SOURCES)}")
    rows = read_sample(data, source)
    sounds = sound_column(rows)
    if sounds is not None and task in (None, "automatic-speech-recognition"):
        return "audio-transcripts", guess_transcripts(rows, data, sounds, target=target)
    guess = guess_columns(rows, data, task=task, text=text, target=target)
    for warning in clock_warnings(rows, guess):
        click.echo(warning, err=True)
    return source, guess


def _data_path(data: Path | None, folder: Path, source: str) -> str:
    """How the project names its data: relative where it is inside the project folder."""
    if data is None:
        folders = {
            "audio-folder": "data/sounds",
            "image-folder": "data/pictures",
            "audio-transcripts": "data/rows.jsonl",
        }
        return folders.get(source, f"data/rows.{source}")
    try:
        return data.resolve().relative_to(folder.resolve()).as_posix()
    except ValueError:
        return data.resolve().as_posix()


def _project_name(text: str) -> str:
    """A valid project name from a folder's name; what the user typed is left for validation to judge."""
    if all(part.isalnum() for part in text.split("-") if part) and text.isascii() and text == text.lower():
        return text if text[:1].isalpha() else f"project-{text}".rstrip("-")
    plain = "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in text.lower())
    joined = "-".join(filter(None, plain.split("-")))[:40].strip("-")
    return joined if joined[:1].isalpha() else f"project-{joined}".rstrip("-")


def _write(file: Path, content: str) -> None:
    from tuneloop.artifact import write_atomic

    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(file, content.encode())
    except OSError as error:
        raise TuneloopError(f"{file} cannot be written: {error.strerror or os.strerror(error.errno or 0)}") from error
