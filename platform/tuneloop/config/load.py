"""Read a project file into a `Project`, or tell everything that is wrong with it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tuneloop.api import ConfigError
from tuneloop.config.candidates import resolve
from tuneloop.config.changes import changed
from tuneloop.config.document import MAX_BYTES, Document, read_document
from tuneloop.config.live_shape import RolloutShape, StoreShape
from tuneloop.config.problems import KeyPath, Problem, dotted, quoted
from tuneloop.config.project import (
    Canary,
    Check,
    Data,
    Evaluate,
    Export,
    Gate,
    Launch,
    Links,
    Model,
    Monitor,
    Project,
    Proof,
    Retrain,
    Rollout,
    RolloutLimits,
    Serve,
    Shadow,
    Split,
    Tune,
)
from tuneloop.config.resolve import Resolver
from tuneloop.config.search import Candidates
from tuneloop.config.search_check import check_search
from tuneloop.config.search_unused import unused_problems
from tuneloop.config.shape import ChampionShape, ProjectShape
from tuneloop.config.texts import PERPLEXITY
from tuneloop.monitoring.store_policy import StorePolicy
from tuneloop.plugins import PluginManager
from tuneloop.tasks.written import writes

PROJECT_FILE = "tuneloop.yaml"


def load_project(path: Path, plugins: PluginManager) -> Project:
    """Read and check a project file.

    Args:
        path: The file, or the folder that holds `tuneloop.yaml`.
        plugins: What the file's names and options are checked against.

    Raises:
        ConfigError: It cannot be read, or something in it is wrong; holds every problem with its line.
    """
    file = path / PROJECT_FILE if path.is_dir() else path
    try:
        with file.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except FileNotFoundError as error:
        raise ConfigError([f"{file}: there is no such file; `tuneloop init` writes one"]) from error
    except OSError as error:
        raise ConfigError([f"{file}: this file cannot be read: {error.strerror or error}"]) from error
    return parse_project(content, file, plugins)


def parse_project(
    content: bytes, file: Path, plugins: PluginManager, changes: Mapping[str, Any] | None = None
) -> Project:
    """Check the bytes of a project file that stands, or would stand, at `file`; errors as in `load_project`.

    Args:
        content: Of the file.
        file: Its place.
        plugins: What names and options are checked against.
        changes: Paths such as `tune.learning_rate` to values that stand there in place of the file's, as a search
            tries or has found them. What is to be searched for is then not checked again.
    """
    document = read_document(content)
    if not isinstance(document.value, dict):
        if not document.problems:
            said = f"value {quoted(document.value)}: expected a mapping of keys to values, such as `name: my-project`"
            document.problems.append(Problem(1, (), said))
        raise _error(document.problems, file)
    if changes:
        try:
            document = changed(document, changes)
        except LookupError as error:
            raise ConfigError([f"{_shown(file)}: {error}"]) from error
    resolver, candidates, problems = resolve(document, plugins)
    if not changes and not document.problems and not problems:
        problems = _search_problems(document, resolver, plugins)
    problems = [*document.problems, *_unless_known(problems, document)]
    if problems or resolver.shape is None:
        raise _error(problems, file)
    return _project(resolver, resolver.shape, file, content, candidates)


def _search_problems(document: Document, resolver: Resolver, plugins: PluginManager) -> list[Problem]:
    shape, found = resolver.shape, list[Problem]()
    if shape is None or shape.search is None:
        return found

    def attempt(changes: Mapping[str, Any]) -> list[Problem]:
        try:
            tried, _, problems = resolve(changed(document, changes), plugins)
        except LookupError as error:
            return [Problem(1, (), str(error))]
        return problems or unused_problems(tried, changes, plugins)

    def complain(path: KeyPath, text: str) -> None:
        found.append(Problem(document.line(path), path, text))

    split = shape.data.split
    check_search(shape.search.search(), attempt, complain, steady=bool(split.key or split.group or split.time))
    metric = shape.search.metric
    by_perplexity = metric == PERPLEXITY and metric == resolver.searched and writes(resolver.task)
    if metric is not None and metric not in resolver.metrics and not by_perplexity:
        reported = ", ".join(resolver.metrics)
        said = f"metric {metric!r} is not reported, only {reported}: add it to evaluate.metrics"
        complain(("search", "metric"), said)
    return found


def _unless_known(problems: list[Problem], document: Document) -> list[Problem]:
    """Leave out what follows from a value that could not be read."""
    unread: set[KeyPath] = {problem.path for problem in document.problems}
    return [problem for problem in problems if problem.path not in unread]


def _error(problems: list[Problem], file: Path) -> ConfigError:
    shown = _shown(file)
    ordered = sorted(set(problems), key=lambda problem: (problem.line, dotted(problem.path), problem.text))
    return ConfigError([problem.render(shown) for problem in ordered])


def _shown(file: Path) -> str:
    """The path as a terminal makes it clickable: relative where it is below the current folder."""
    try:
        return str(file.resolve().relative_to(Path.cwd()))
    except (ValueError, OSError):
        return str(file)


def _project(
    resolver: Resolver, shape: ProjectShape, file: Path, content: bytes, candidates: Candidates | None
) -> Project:
    split, gate, export, monitor, retrain = shape.data.split, shape.gate, shape.export, shape.monitor, shape.retrain
    source, source_options = resolver.options("data")
    base, base_options = resolver.options("model")
    strategy, strategy_options = resolver.options("tune")
    exporter, exporter_options = resolver.options("export")
    return Project(
        name=shape.name,
        root=file.parent.resolve(),
        task=shape.task,
        data=Data(
            source=source,
            options=source_options,
            columns=resolver.columns,
            transforms=resolver.transforms,
            split=Split(**split.model_dump()),
            check=Check(tuple(shape.data.check.stop), tuple(shape.data.check.ignore), shape.data.check.country),
            processes=shape.data.processes,
        ),
        model=Model(base, base_options),
        tune=Tune(strategy, strategy_options, shape.tune.seed),
        evaluate=Evaluate(resolver.metrics, shape.evaluate.calibrate, shape.evaluate.folds),
        gate=Gate(
            require=dict(gate.require),
            champion_metric=gate.champion.metric if gate.champion else None,
            champion_margin=gate.champion.margin if gate.champion else 0.01,
            proof=_proof(gate.champion),
        ),
        export=Export(
            format=exporter,
            options=exporter_options,
            quantize_mode=export.quantize.mode if export.quantize else None,
            quantize_max_loss=export.quantize.max_loss if export.quantize else 0.005,
            tolerance=export.tolerance,
            max_changed=export.max_changed,
        ),
        serve=Serve(shape.serve.host, shape.serve.port, shape.serve.workers, shape.serve.threads, shape.serve.device),
        monitor=Monitor(
            window=monitor.window[0],
            min_rows=monitor.min_rows,
            psi=monitor.psi,
            zscore=monitor.zscore,
            min_labels=monitor.min_labels,
            accuracy_drop=monitor.accuracy_drop,
            longer=monitor.window[1:],
            signals=None if monitor.signals is None else tuple(monitor.signals),
            exclude=tuple(monitor.exclude),
            slices=tuple(dict.fromkeys(monitor.slices)),
            links=Links(monitor.links.grafana or "", monitor.links.mlflow or "", monitor.links.runbook or ""),
            detectors=resolver.detectors,
        ),
        retrain=Retrain(
            on=tuple(dict.fromkeys(retrain.on)),
            min_labels=retrain.min_labels,
            cooldown=retrain.cooldown,
            daily_budget=retrain.daily_budget,
            port=retrain.port,
            min_coverage=retrain.min_coverage,
            max_label_noise=retrain.max_label_noise,
            schedule=retrain.schedule,
            timezone=retrain.timezone,
        ),
        source_sha256=hashlib.sha256(content).hexdigest(),
        requires_plugins=tuple(shape.requires_plugins),
        store=_store(shape.store),
        rollout=_rollout(shape.rollout),
        search=shape.search.search() if shape.search else None,
        candidates=candidates,
        launch=Launch(*resolver.launcher) if resolver.launcher else None,
        card=shape.card.card(),
        storage=_storage(shape.storage, file.parent),
    )


def _storage(place: str | None, root: Path) -> str | None:
    """A URL as it stands; a path from the project's folder on."""
    return place if place is None or "://" in place else str((root / Path(place).expanduser()).resolve())


def _rollout(shape: RolloutShape) -> Rollout:
    shadow, canary, limits = shape.shadow, shape.canary, shape.limits
    return Rollout(
        shadow=Shadow(shadow.for_, shadow.rows, shadow.agreement) if shadow else None,
        canary=Canary(tuple(canary.steps), canary.for_, canary.rows, canary.by) if canary else None,
        watch=shape.watch.for_ if shape.watch else None,
        approval=shape.approval,
        limits=RolloutLimits(limits.error_rate, limits.latency_ratio, limits.accuracy_drop),
        timeout=shape.timeout,
        on_timeout=shape.on_timeout,
    )


def _store(store: StoreShape) -> StorePolicy:
    return StorePolicy(
        retention=store.retention,
        sample=store.sample,
        inputs=store.inputs,
        drop_columns=tuple(dict.fromkeys(store.drop_columns)),
        hash_columns=tuple(dict.fromkeys(store.hash_columns)),
        required=store.required,
    )


def _proof(champion: ChampionShape | None) -> Proof:
    if champion is None:
        return Proof()
    return Proof(
        prove=champion.prove,
        superiority=champion.superiority,
        alpha=champion.alpha,
        slices=None if champion.slices is None else tuple(dict.fromkeys(champion.slices)),
        slice_margin=champion.slice_margin,
        min_slice_rows=champion.min_slice_rows,
    )
