"""A sound file becomes a Project with every default filled in."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path
from typing import Any

import pytest

from tuneloop.api import ConfigError
from tuneloop.config import Links, Retrain, load_project
from tuneloop.plugins import PluginManager

SMALLEST = """\
name: desk
task: tabular-classification
data: {source: csv, path: rows.csv, columns: {target: income}}
model: {base: mlp}
tune: {strategy: full}
"""


def test_the_whole_shape(parse: Any, desk: str) -> None:
    project = parse(desk)
    assert (project.name, project.task) == ("language-desk", "text-classification")
    assert project.data.options.path == "data/messages.jsonl"
    assert (dict(project.data.columns.inputs), project.data.columns.target) == ({"text": "message"}, "language")
    assert project.data.columns.key == project.data.split.key == "id"
    assert project.tune.options.learning_rate == 3e-5
    assert project.tune.options.early_stopping.metric == "macro_f1"
    assert project.gate.require == {"macro_f1": 0.9}
    assert project.gate.champion_metric == "macro_f1"
    assert (project.export.quantize_mode, project.export.quantize_max_loss) == ("int8-dynamic", 0.005)
    assert project.monitor.window == 3600
    assert project.monitor.links == Links()
    assert project.retrain == Retrain(("drift", "accuracy"), 200, 6 * 3600, 4, 3001)
    assert project.source_sha256 == hashlib.sha256(desk.encode()).hexdigest()
    assert project.root == Path.cwd()
    assert project.state == Path.cwd() / ".tuneloop"
    with pytest.raises(dataclasses.FrozenInstanceError):
        project.name = "other"


def test_defaults(parse: Any) -> None:
    project = parse(SMALLEST)
    assert project.data.columns.inputs == {}
    assert project.data.transforms == ()
    assert (project.data.split.validation, project.data.split.test, project.data.split.golden) == (0.1, 0.1, 0.1)
    assert project.evaluate.metrics == ("macro_f1",)
    assert project.gate.champion_metric is None
    assert (project.export.format, project.export.quantize_mode, project.export.tolerance) == ("onnx", None, 1e-3)
    assert (project.serve.host, project.serve.port) == ("127.0.0.1", 3000)
    assert project.monitor.min_rows == 1000


def test_yaml_1_2(parse: Any) -> None:
    """`on` is a key, Norway a language, and 3e-5 a number."""
    project = parse(
        "name: no\ntask: tabular-classification\n"
        "data: {source: csv, path: rows.csv, columns: {target: yes, inputs: [no, on, 'off']}}\n"
        "model: {base: mlp}\ntune: {strategy: full, learning_rate: 3e-5}\nretrain: {on: []}\n"
    )
    assert project.name == "no"
    assert project.data.columns.target == "yes"
    assert tuple(project.data.columns.inputs) == ("no", "on", "off")
    assert project.tune.options.learning_rate == 3e-5
    assert project.retrain.on == ()


def test_transforms_in_both_forms(parse: Any) -> None:
    text = SMALLEST.replace("path: rows.csv", "path: rows.csv, transforms: [lowercase, {name: text-clean, column: a}]")
    (first, nothing), (second, options) = parse(text).data.transforms
    assert (first, second) == ("lowercase", "text-clean")
    assert nothing.model_dump() == {}
    assert options.model_dump() == {"column": "a"}


def test_detectors_in_both_forms(parse: Any) -> None:
    text = SMALLEST + "monitor: {detectors: [run-of-errors, {name: adwin, delta: 0.1}]}\n"
    (first, _), (second, options) = parse(text).monitor.detectors
    assert (first, second, options.delta) == ("run-of-errors", "adwin", 0.1)


def test_one_detector_unless_none_is_wanted(parse: Any) -> None:
    assert [name for name, _ in parse(SMALLEST).monitor.detectors] == ["adwin"]
    assert parse(SMALLEST + "monitor: {detectors: []}\n").monitor.detectors == ()


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("5m", 300), ("1.5h", 5400), ("1d", 86400), ("2w", 1209600)]
)
def test_durations(parse: Any, text: str, seconds: float) -> None:
    assert parse(SMALLEST + f"monitor: {{window: {text}}}\n").monitor.window == seconds


@pytest.mark.parametrize(
    ("text", "windows"),
    [
        ("window: auto", (600, 3600, 86_400, 604_800)),
        ("psi: 0", (600, 3600, 86_400, 604_800)),
        ("window: [1d, 10m]", (600, 86_400)),
        ("window: [2h]", (7200,)),
    ],
)
def test_windows(parse: Any, text: str, windows: tuple[float, ...]) -> None:
    monitor = parse(SMALLEST + f"monitor: {{{text}}}\n").monitor
    assert (monitor.window, *monitor.longer) == windows


def test_links_end_without_a_slash(parse: Any) -> None:
    project = parse(SMALLEST + "monitor: {links: {grafana: 'http://grafana:3100/', runbook: 'https://wiki/a?b=c'}}\n")
    assert project.monitor.links == Links("http://grafana:3100", "", "https://wiki/a?b=c")


def test_a_file_and_a_folder(tmp_path: Path, desk: str, plugins: PluginManager) -> None:
    (tmp_path / "tuneloop.yaml").write_text(desk)
    project = load_project(tmp_path, plugins)
    assert project == load_project(tmp_path / "tuneloop.yaml", plugins)
    assert project.root == tmp_path.resolve()


def test_anchors_are_followed(parse: Any) -> None:
    project = parse(SMALLEST + "serve: {workers: &many 3, threads: *many}\n")
    assert (project.serve.workers, project.serve.threads) == (3, 3)


def test_a_missing_file(tmp_path: Path, plugins: PluginManager) -> None:
    with pytest.raises(ConfigError, match="there is no such file; `tuneloop init` writes one"):
        load_project(tmp_path / "tuneloop.yaml", plugins)
    with pytest.raises(ConfigError, match="there is no such file"):
        load_project(tmp_path / "absent" / "tuneloop.yaml", plugins)


def test_slices(parse: Any) -> None:
    assert parse(SMALLEST).monitor.slices == ()
    assert parse(SMALLEST + "monitor: {slices: [job, answer, job]}\n").monitor.slices == ("job", "answer")
