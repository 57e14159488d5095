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
    sound_column,
)
from tuneloop.cli.project import load_plugins
from tuneloop.cli.sample import Sample, sample_of
from tuneloop.cli.stocks import TASKS
from tuneloop.cli.template import render
from tuneloop.config import PROJECT_FILE, parse_project

_FOLDERS = {"image-folder": "image-classification", "audio-folder": "audio-classification"}
"""Data sources of folders that name labels, and the task each is for."""


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), default=Path())
@click.option("--task", type=click.Choice(list(TASKS)), help="The kind of problem; otherwise guessed from the data.")
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    help="CSV, JSONL or Parquet file, a glob of such, or a folder of pictures or sounds; it is looked into.",
)
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

    With --data, source, columns and task are guessed from the data; look at them before the first run.
    """
    file = folder / PROJECT_FILE
    if file.exists() and not force:
        raise TuneloopError(f"{file} is there already. Look at it, or overwrite it with --force.")
    sample, guess = _look(data, task, text, target)
    content = render(
        name=_project_name(name or folder.resolve().name),
        source=sample.source,
        path=_data_path(data, folder, sample.source),
        guess=guess,
        delimiter=sample.delimiter,
    )
    try:
        parse_project(content.encode(), file, load_plugins())
    except ConfigError as error:
        if name is not None or text is not None or target is not None:
            raise
        raise TuneloopError(f"the built-in plugins this file needs are not all loaded. {error}") from error
    _write(file, content)
    answer = f"answer in column {guess.target!r}" if guess.target else f"of the texts in column {guess.text!r}"
    click.echo(f"Wrote {file}: {guess.task}, {answer}.")
    shown = "" if folder.resolve() == Path.cwd() else f" --project {shlex.quote(str(folder))}"
    click.echo(f"Look it over, then: tuneloop run{shown}")


def _look(data: Path | None, task: str | None, text: str | None, target: str | None) -> tuple[Sample, Guess]:
    """The data source and what the data seems to hold."""
    if data is None:
        chosen = task or "text-classification"
        stock = TASKS[chosen]
        return Sample(stock.source), Guess(chosen, target or stock.target, text or stock.text, stock.key)
    sample = sample_of(data)
    if sample.source in _FOLDERS:
        return sample, _of_folder(data, sample.source, task)
    sounds = sound_column(sample.rows)
    if sounds is not None and task in (None, "automatic-speech-recognition"):
        transcripts = Sample("audio-transcripts", delimiter=sample.delimiter)
        return transcripts, guess_transcripts(sample.rows, data, sounds, target=target)
    guess = guess_columns(sample.rows, data, task=task, text=text, target=target)
    for warning in clock_warnings(sample.rows, guess):
        click.echo(warning, err=True)
    return sample, guess


def _of_folder(data: Path, source: str, task: str | None) -> Guess:
    found = _FOLDERS[source]
    if task not in (None, found):
        raise TuneloopError(f"{data}: a folder of such files is for task {found!r}, not {task!r}; give a file")
    stock = TASKS[found]
    return Guess(found, stock.target, stock.text, stock.key)


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
