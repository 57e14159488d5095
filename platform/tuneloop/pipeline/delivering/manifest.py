"""The manifest of a run's artifact, from what its steps gave."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from importlib import metadata
from typing import Any

from tuneloop.api import Preprocessor, RowTransform, Task, Tensor
from tuneloop.artifact import (
    DataUse,
    Lineage,
    Manifest,
    Parity,
    Part,
    PluginUse,
    Signature,
    Teacher,
    Variant,
    canonical_json,
)
from tuneloop.pipeline.data.transforming import served_transforms
from tuneloop.pipeline.evaluating.scoring import Scorer
from tuneloop.pipeline.runs.step import StepContext

_LIBRARIES = ("numpy", "onnx", "onnxruntime", "torch", "tokenizers", "transformers")


def make_manifest(
    context: StepContext,
    task: Task,
    preprocessor: Preprocessor,
    metrics: dict[str, float],
    signals: Collection[str],
) -> Manifest:
    """The manifest without its files.

    Args:
        context: Of a step after `verify`.
        task: The fitted task.
        preprocessor: The fitted preprocessor.
        metrics: Of the served variant on the test split.
        signals: The classes that watch this model: a server needs their plugins, and not those of signals that do
            not apply to it.
    """
    project, done = context.project, context.done
    verify = done["verify"].output
    parent, teacher = context.scope.request.parent, done["tune"].output["teacher"]
    fingerprints = {name: result.fingerprint for name, result in done.items()}
    return Manifest(
        model=project.name,
        task=Part(name=task.name, state=task.state()),
        preprocessor=preprocessor.name,
        transforms=served_transforms(context.scope),
        base_model=project.model.base,
        strategy=project.tune.strategy,
        chosen=dict(context.scope.changes),
        signature=Signature(
            columns=preprocessor.columns,
            inputs=preprocessor.tensors,
            outputs=tuple(Tensor(n, d, tuple(s)) for n, d, s in done["export"].output["outputs"]),
            output_names=task.output_names,
        ),
        metrics=metrics,
        variants={name: Variant(**fields) for name, fields in verify["variants"].items()},
        parity=Parity(**verify["parity"]),
        data=DataUse(fingerprint=done["load"].output["content"], rows=done["split"].output["rows"]),
        lineage=Lineage(
            parent=parent.sha256 if parent else None,
            pipeline=hashlib.sha256(canonical_json(fingerprints)).hexdigest(),
            teacher=Teacher(**teacher) if teacher else None,
        ),
        plugins=_plugins(context, preprocessor, signals),
        libraries=_libraries(),
    )


def _plugins(context: StepContext, preprocessor: Preprocessor, signals: Collection[str]) -> tuple[PluginUse, ...]:
    project, plugins = context.project, context.plugins
    transforms = project.data.transforms
    uses: list[tuple[Any, str, bool]] = [
        ("data source", project.data.source, False),
        *(("transform", name, issubclass(plugins.get("transform", name), RowTransform)) for name, _ in transforms),
        ("task", project.task, True),
        ("preprocessor", preprocessor.name, True),
        ("base model", project.model.base, False),
        ("strategy", project.tune.strategy, False),
        ("exporter", project.export.format, False),
        *(("metric", name, False) for name in Scorer(project, plugins).metrics),
        *(("signal", name, True) for name in sorted(signals)),
    ]
    found: dict[str, tuple[str, set[str], bool]] = {}
    for kind, name, serving in uses:
        record = plugins.provider(kind, name)
        version, names, needed = found.get(record.distribution, (record.version, set(), False))
        found[record.distribution] = (version, {*names, record.name}, needed or serving)
    return tuple(
        PluginUse(distribution=distribution, version=version, names=tuple(sorted(names)), serving=serving)
        for distribution, (version, names, serving) in sorted(found.items())
    )


def _libraries() -> dict[str, str]:
    installed = {}
    for name in _LIBRARIES:
        try:
            installed[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return installed
