"""`tuneloop accuracy`."""

from __future__ import annotations

import functools
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tuneloop.api import DataError, RegistryError, TuneloopError
from tuneloop.cli.project import load, load_plugins
from tuneloop.config.durations import parse_duration

if TYPE_CHECKING:
    from tuneloop.artifact import Artifact
    from tuneloop.monitoring.accuracy.answers import Judge
    from tuneloop.monitoring.accuracy.study import Settings, Study
    from tuneloop.plugins import PluginManager

_MIN_LABELS = 200


@click.command()
@click.option(
    "-p",
    "--project",
    type=click.Path(path_type=Path),
    help="Project folder or file; otherwise the current folder or the nearest one above with a tuneloop.yaml.",
)
@click.option("--artifact", metavar="FOLDER", type=click.Path(path_type=Path), help="Judge by this artifact instead.")
@click.option("--store-url", metavar="URL", help="The prediction store; by default that of the project.")
@click.option("--last", metavar="TIME", help="Only answers of the last 6h, 7d, ...; by default all times.")
@click.option("--version", "versions", multiple=True, metavar="NUMBER", help="Only this version; may be repeated.")
@click.option(
    "--by", type=click.Choice(["day", "week", "window"]), help="Also by time; window: the project's monitor.window."
)
@click.option(
    "--slice", "slices", multiple=True, metavar="NAME", help="Also by this column or signal; may be repeated."
)
@click.option("--against", metavar="NUMBER", help="Compare the others with this version; by default the champion.")
@click.option("--estimate", is_flag=True, help="Also what calibrated confidence expects of all answers (CBPE).")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of the bootstrap.")
@click.option("--json", "document", is_flag=True, help="Print JSON instead of tables.")
def accuracy(
    project: Path | None,
    artifact: Path | None,
    store_url: str | None,
    last: str | None,
    versions: tuple[str, ...],
    by: str | None,
    slices: tuple[str, ...],
    against: str | None,
    estimate: bool,
    seed: int,
    document: bool,
) -> None:
    """How right the answers were, by version: from the stored answers and the last label of each.

    Figures stand at the time of the answer, whenever its label came. A few labels give wide intervals, and say so.
    """
    from tuneloop.report.accuracy import as_json, as_lines

    if artifact is not None and project is None and store_url is None:
        raise click.UsageError("--artifact without --project needs --store-url")
    source = _source(project, artifact, store_url)
    made = _study(source, _since(last), versions, by, slices, against or source.champion, estimate=estimate, seed=seed)
    if document:
        click.echo(json.dumps(as_json(made), indent=1, allow_nan=False))
    else:
        click.echo("\n".join(as_lines(made)))


class _Source:
    """Where answers are, and what judges them."""

    def __init__(self, model: str, url: str, plugins: PluginManager, open_: Callable[[str], Artifact]) -> None:
        self.model, self.url, self.plugins, self.open = model, url, plugins, open_
        self.champion: str | None = None
        self.window: float | None = None
        self.min_labels = _MIN_LABELS
        self.slices: tuple[str, ...] = ()


def _source(project: Path | None, folder: Path | None, url: str | None) -> _Source:
    from tuneloop.artifact import Artifact
    from tuneloop.serving.server import default_store_url

    if folder is not None and project is None:
        artifact = Artifact.open(folder, skip=("training",))
        return _Source(artifact.manifest.model, str(url), load_plugins(), lambda _: artifact)
    from tuneloop.registry import CHAMPION, Registry

    chosen, plugins = load(project)
    registry = Registry(chosen)
    champion = registry.find(CHAMPION)
    fixed = None if folder is None else Artifact.open(folder, skip=("training",))

    def opened(version: str) -> Artifact:
        if fixed is not None:
            return fixed
        try:
            return registry.fetch(version)
        except RegistryError:
            if champion is None:
                raise
            # A version that is gone, or was never registered here: judged as the champion is.
            return registry.fetch(champion.number)

    source = _Source(chosen.name, url or default_store_url(chosen.state), plugins, opened)
    source.champion = None if champion is None else champion.number
    source.window, source.min_labels = chosen.monitor.window, chosen.monitor.min_labels
    source.slices = chosen.monitor.slices
    return source


def _study(
    source: _Source,
    since: float | None,
    versions: tuple[str, ...],
    by: str | None,
    slices: tuple[str, ...],
    against: str | None,
    *,
    estimate: bool,
    seed: int,
) -> Study:
    from tuneloop.monitoring.accuracy.reading import read_answers, read_pairs, reading
    from tuneloop.monitoring.accuracy.study import study

    wanted = slices or source.slices
    judge_of = functools.cache(lambda version: _judge(source, version, wanted, estimate=estimate))
    with reading(source.url) as connection:
        answers = read_answers(connection, source.model, judge_of, since=since, versions=versions)
        pairs = [
            pair
            for pair in read_pairs(connection, source.model, judge_of, since=since)
            if not versions or pair.challenger in versions
        ]
    present = sorted(set(answers.version.tolist()))
    if absent := sorted(set(versions) - set(present)):
        raise DataError(f"the store holds no answer of version {', '.join(absent)}; it holds: {', '.join(present)}")
    judges = {version: judge_of(version).calibration for version in present}
    calibrations = {version: found for version, found in judges.items() if found is not None}
    return study(source.model, answers, pairs, calibrations, _settings(source, by, seed), against)


def _settings(source: _Source, by: str | None, seed: int) -> Settings:
    from tuneloop.monitoring.accuracy.study import DAY, WEEK, Settings

    if by == "window" and source.window is None:
        raise click.UsageError("--by window needs a project: its monitor.window is meant")
    window = {None: None, "day": DAY, "week": WEEK, "window": source.window}[by]
    return Settings(window=window, min_labels=source.min_labels, seed=seed, now=time.time())


def _judge(source: _Source, version: str, slices: Sequence[str], *, estimate: bool) -> Judge:
    from tuneloop.monitoring.accuracy.answers import Judge
    from tuneloop.monitoring.reference import REFERENCE_FILE, Reference

    artifact = source.open(version)
    task: Any = source.plugins.get("task", artifact.manifest.task.name)
    made = task.from_state(artifact.manifest.task.state)
    if REFERENCE_FILE not in artifact.manifest.files:
        return Judge(made)
    reference = Reference.load(artifact.folder / REFERENCE_FILE)
    if estimate and reference.calibration is None and made.loss == "cross_entropy":
        click.echo(f"version {version}: its artifact holds no calibration, so nothing is estimated", err=True)
    reader = _slices(source, artifact, reference, slices) if slices else None
    return Judge(made, reference.tolerance, reference.calibration if estimate else None, reader)


def _slices(source: _Source, artifact: Artifact, reference: Any, wanted: Sequence[str]) -> Any:
    from tuneloop.monitoring.accuracy.slices import SliceReader, readable
    from tuneloop.monitoring.signals import create_signals

    signature = artifact.manifest.signature
    embedding = next((t.shape[1] for t in signature.outputs if t.name == "embedding"), 0)
    classes: Any = source.plugins.classes("signal")
    signals = create_signals(classes, signature.columns, signature.inputs, signature.output_names, int(embedding))
    known = [signal.label for signal in signals if signal.label in reference.by_label and readable(signal)]
    labels = [name if name in known else f"column:{name}" for name in wanted]
    if unknown := [name for name, label in zip(wanted, labels, strict=True) if label not in known]:
        shown = ", ".join(label.removeprefix("column:") for label in known)
        raise TuneloopError(
            f"--slice {unknown[0]!r}: no such column or signal can be read from the store; known: {shown}"
        )
    return SliceReader(reference.model_copy(update={"slices": tuple(labels)}), signals)


def _since(last: str | None) -> float | None:
    try:
        return None if last is None else time.time() - parse_duration(last)
    except ValueError as error:
        raise click.UsageError(f"--last {last!r} is no length of time: {error}") from error
