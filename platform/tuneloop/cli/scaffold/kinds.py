"""What differs between the templates, beside their files in `templates/KIND`."""

from __future__ import annotations

from dataclasses import dataclass

from tuneloop.plugins import Kind


@dataclass(frozen=True, slots=True)
class KindTemplate:
    """One kind of plugin that can be started from a template.

    Attributes:
        title: Its name in sentences.
        usage: The last paragraph of the README: how a project uses it; `{plugin}` is its name.
        needs: What the plugin depends on.
        tests_need: What its tests need beside pytest and hypothesis.
        kind: The kind of class; None for observers, which bring none.
    """

    title: str
    usage: str
    needs: str = "tuneloop>=0.1"
    tests_need: tuple[str, ...] = ()
    kind: Kind | None = None


def _yaml(text: str) -> str:
    return f"In `tuneloop.yaml`:\n\n```yaml\n{text}\n```"


TRAIN = "tuneloop[train]>=0.1"
TEMPLATES: dict[str, KindTemplate] = {
    "data-source": KindTemplate(
        "data source",
        _yaml("data:\n  source: {plugin}\n  path: rows.tsv\n  columns: {{text: text, label: label}}"),
        TRAIN,
        kind="data source",
    ),
    "transform": KindTemplate(
        "transform",
        _yaml("data:\n  transforms:\n    - name: {plugin}\n      column: text"),
        TRAIN,
        kind="transform",
    ),
    "task": KindTemplate("task", _yaml("task: {plugin}"), tests_need=("tuneloop[train]",), kind="task"),
    "preprocessor": KindTemplate(
        "preprocessor",
        'A base model asks for it: `return PreprocessorChoice("{plugin}", {{"width": 64}})`.',
        tests_need=("tuneloop[train]",),
        kind="preprocessor",
    ),
    "base-model": KindTemplate("base model", _yaml("model:\n  base: {plugin}\n  hidden: 32"), TRAIN, kind="base model"),
    "strategy": KindTemplate("strategy", _yaml("tune:\n  strategy: {plugin}\n  epochs: 5"), TRAIN, kind="strategy"),
    "launcher": KindTemplate("launcher", _yaml("launch:\n  launcher: {plugin}\n  load: 0.5"), kind="launcher"),
    "exporter": KindTemplate(
        "exporter", _yaml("export:\n  format: {plugin}"), TRAIN, ("tuneloop[cpu]",), kind="exporter"
    ),
    "metric": KindTemplate("metric", _yaml("evaluate:\n  metrics: [{plugin}]"), kind="metric"),
    "signal": KindTemplate(
        "signal",
        "Once installed, every model with a text column that is trained reports it, and drift of it is watched. "
        "A project leaves it out with `monitor.exclude: [{plugin}]`.",
        kind="signal",
    ),
    "detector": KindTemplate(
        "detector",
        _yaml("monitor:\n  detectors:\n    - adwin\n    - name: {plugin}\n      times: 3"),
        kind="detector",
    ),
    "observer": KindTemplate(
        "observer", "Once installed, it is told of finished steps, decisions of the gate, promotions and drift alerts."
    ),
}
"""The kinds by the word for `--kind`."""
