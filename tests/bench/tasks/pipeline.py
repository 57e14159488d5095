"""One project through the product's own run, and what its test rows say of every form of the model."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from tuneloop.api import Arrays, Predictions
from tuneloop.artifact import MODEL, Artifact
from tuneloop.config import load_project
from tuneloop.config.project import FindingName
from tuneloop.pipeline import Progress, run_pipeline
from tuneloop.pipeline.data.assign import share
from tuneloop.pipeline.data.encoded import check_rows
from tuneloop.pipeline.data.rows import model_rows, normalised, open_rows, resolve_columns, truths
from tuneloop.pipeline.delivering.export import FLOAT
from tuneloop.pipeline.delivering.parity import run_in_batches
from tuneloop.pipeline.evaluating.evaluate import OUTPUTS
from tuneloop.pipeline.evaluating.scoring import Scorer, judge
from tuneloop.pipeline.runs.cache import load_result
from tuneloop.pipeline.runs.records import read_steps, run_folder
from tuneloop.pipeline.runs.step import StepResult
from tuneloop.plugins import PluginManager, default_manager
from tuneloop.serving.generating.predictor import open_predictor
from tuneloop.serving.predictor import Predictor

Own: TypeAlias = Callable[[Predictions, NDArray[Any]], float]
PLACES = ("golden", "test", "validation", "train")
KEY = "place_key"
QUARTERS = {"golden": 0.25, "test": 0.25, "validation": 0.25, "key": KEY, "seed": 0}
"""The `data.split` under which `keys` puts each row where it is wanted."""
_GOLDEN_ROWS = 50


@dataclass(frozen=True)
class Measured:
    """What the runs of a project gave, a figure a seed, all of one metric on the test rows.

    Attributes:
        baseline: The better of the run's two models without tuning: the constant answer, and the probe.
        tuned: The tuned model, before export.
        onnx: The float graph.
        int8: The int8 graph; empty where the project asks for none.
        megabytes: Size of the float graph.
        int8_megabytes: Size of the int8 graph.
        seconds: Wall time of training, the mean over seeds.
        seeds: The seeds.
        higher_is_better: Which way the metric points.
    """

    baseline: float | None
    tuned: tuple[float, ...]
    onnx: tuple[float, ...]
    int8: tuple[float, ...]
    megabytes: float
    int8_megabytes: float | None
    seconds: float
    seeds: tuple[int, ...]
    higher_is_better: bool

    def figures(self) -> dict[str, Any]:
        """The fields of a `Line` that stand here."""
        return dict(vars(self))


def keys(places: Sequence[str]) -> list[str]:
    """A key a row, whose hash puts the row in the place wanted (one of `PLACES`) under the split `QUARTERS`."""
    return [_key(number, PLACES.index(place)) for number, place in enumerate(places)]


def held_out(rows: Sequence[Any], number: int, seed: int = 0) -> tuple[list[Any], list[Any]]:
    """Rows in an order of the seed's: all but the last `number` of them, and those."""
    shuffled = [rows[i] for i in np.random.default_rng(seed).permutation(len(rows))]
    return shuffled[: len(shuffled) - number], shuffled[len(shuffled) - number :]


def apart(parts: Mapping[str, Sequence[dict[str, Any]]], column: str) -> dict[str, list[dict[str, Any]]]:
    """The parts without rows whose content a later part has too: the run leaves these out, and so shall a reference."""
    seen: set[str] = set()
    found = {}
    for name in reversed(parts):
        contents = [normalised(row, [column]) for row in parts[name]]
        found[name] = [row for row, content in zip(parts[name], contents, strict=True) if content not in seen]
        seen.update(contents)
    return {name: found[name] for name in parts}


def counted(parts: Mapping[str, Sequence[Any]], what: str = "rows") -> str:
    """How many rows train, validate and test, as a `Line` says it."""
    return (
        f"{len(parts['train'])} {what} to train, {len(parts['validation'])} to validate, {len(parts['test'])} to test"
    )


def measure(
    project: Mapping[str, Any],
    rows: Mapping[str, Sequence[Mapping[str, Any]]] | None = None,
    *,
    metrics: Sequence[str],
    seeds: Sequence[int] = (0,),
    own: Mapping[str, Own] | None = None,
    prepare: Callable[[Path], None] | None = None,
) -> dict[str, Measured]:
    """Run the project once a seed, in one temporary folder with a state of its own; what was measured, by metric.

    Args:
        project: What `tuneloop.yaml` says; name, `data.source`, `data.split` and the int8 variant have defaults.
        rows: `train`, `validation` and `test` rows, which become the project's data; None where `project` says all.
        metrics: Metrics of the platform; the first one decides which epoch is kept.
        seeds: One run each; the data and their split stay the same.
        own: More figures, by name, of predictions and references; more is better.
        prepare: Writes more files into the project folder before it is read.
    """
    plugins = default_manager()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        data = {"check": {"ignore": list(get_args(FindingName))}, **project["data"]}
        if rows is not None:
            _write(folder / "rows.jsonl", rows)
            data = {"source": "jsonl", "path": "rows.jsonl", "split": QUARTERS, **data}
        if prepare is not None:
            prepare(folder)
        full = {"name": "measured", "export": {"quantize": {"mode": "int8-dynamic"}}}
        full |= {"evaluate": {"metrics": list(metrics)}, **project, "data": data}
        found = []
        for seed in seeds:
            told = {**full, "tune": {**project["tune"], "seed": seed}}
            (folder / "tuneloop.yaml").write_text(json.dumps(told))
            found.append(_run(folder, plugins, metrics, own or {}))
    return {name: _measured(found, name, tuple(seeds)) for name in (*metrics, *(own or {}))}


def _measured(found: Sequence[dict[str, Any]], metric: str, seeds: tuple[int, ...]) -> Measured:
    first = found[0]
    return Measured(
        baseline=first["baseline"].get(metric),
        tuned=tuple(one["tuned"][metric] for one in found),
        onnx=tuple(one["onnx"][metric] for one in found),
        int8=tuple(one["int8"][metric] for one in found if "int8" in one),
        megabytes=first["bytes"][FLOAT] / 1e6,
        int8_megabytes=next((size / 1e6 for kind, size in first["bytes"].items() if kind != FLOAT), None),
        seconds=sum(one["seconds"] for one in found) / len(found),
        seeds=seeds,
        higher_is_better=first["maximize"].get(metric, True),
    )


def _key(number: int, place: int) -> str:
    attempt = 0
    while int(share(found := f"{number}-{attempt}", f"split:{QUARTERS['seed']}") * len(PLACES)) != place:
        attempt += 1
    return found


def _write(path: Path, rows: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
    # A run needs golden rows: some test rows again, so that no training row is lost to them.
    parts = {**rows, "golden": rows["test"][:_GOLDEN_ROWS]}
    named = keys([place for place, part in parts.items() for _ in part])
    written = (
        {**row, KEY: key} for row, key in zip((row for part in parts.values() for row in part), named, strict=True)
    )
    path.write_text("".join(json.dumps(row) + "\n" for row in written))


def _run(folder: Path, plugins: PluginManager, metrics: Sequence[str], own: Mapping[str, Own]) -> dict[str, Any]:
    project = load_project(folder, plugins)
    result = run_pipeline(project, plugins, listen=_tell)
    steps = _steps(project.state, result.run)
    scorer = Scorer(project, plugins)
    maximize = {name: scorer.maximize(name) for name in metrics}
    simple = [steps["baseline"].output[kind] for kind in ("constant", "probe")]
    told = {
        "baseline": {name: (max if maximize[name] else min)(one[name] for one in simple) for name in metrics},
        "seconds": steps["tune"].seconds,
        "bytes": steps["export"].output["bytes"],
        "maximize": maximize,
    }
    served = Predictor.open(Artifact.open(result.artifact), plugins)
    if served.task.loss == "likelihood":
        # Generated texts are judged by the run itself.
        return {**told, "tuned": steps["evaluate"].output["metrics"]["test"], "onnx": result.metrics["test"]}
    test = open_rows(steps["split"].folder / "test")
    columns = resolve_columns(project, test.column_names)
    checked = check_rows(served.preprocessor, model_rows(test, columns))
    encoded = served.preprocessor.encode(checked)
    truth = truths(test, columns)

    def score(outputs: Arrays) -> dict[str, float]:
        judged = judge(served.task, outputs, truth, checked)
        return {**scorer.score(*judged), **{name: function(*judged) for name, function in own.items()}}

    with np.load(steps["evaluate"].folder / OUTPUTS.format("test"), allow_pickle=False) as kept:
        told["tuned"] = score(dict(kept))
    for kind in told["bytes"]:
        graph = open_predictor(steps["export"].folder / kind / MODEL, served.task, served.preprocessor, threads=2)
        # One row a call, as the run itself measures int8: dynamic quantisation scales by batch.
        told["onnx" if kind == FLOAT else "int8"] = score(run_in_batches(graph, encoded, len(checked), 1))
    return told


def _steps(state: Path, run: str) -> dict[str, StepResult]:
    found = {}
    for name, folders in (read_steps(run_folder(state, run)) or {}).items():
        # That of `load` names the rows in it too.
        result = load_result(name, state / "steps" / folders[0].split("/")[0])
        if result is not None:
            found[name] = result
    return found


def _tell(progress: Progress) -> None:
    if progress.kind != "started":
        seconds = f" {progress.seconds:.0f} s" if progress.kind == "finished" else ""
        sys.stderr.write(f"  {progress.step}{seconds} {dict(progress.data)}\n")
        sys.stderr.flush()
