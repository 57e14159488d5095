"""Every problem at once, each with its line, the value and what would be valid."""

from __future__ import annotations

import io
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from tuneloop.api import ConfigError
from tuneloop.config import Project
from tuneloop.config.shape import DataShape, ProjectShape


def problems(parse: Any, text: str | bytes) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        parse(text)
    return list(caught.value.problems)


def only(parse: Any, text: str | bytes) -> str:
    found = problems(parse, text)
    assert len(found) == 1, found
    return found[0]


CHANGES = [
    ("name: language-desk", "name: Language Desk", "1: name: value 'Language Desk': expected lower-case letters"),
    ("name: language-desk", "name: 12", "1: name: value 12: expected a text (in quotes"),
    ("name: language-desk", "nam: language-desk", "1: nam: unknown key. Did you mean 'name'?"),
    (
        "task: text-classification",
        "task: text-clas",
        "2: task: there is no task named 'text-clas'. Did you mean 'text-class",
    ),
    ("source: jsonl", "source: jsnol", "4: data.source: there is no data source named 'jsnol'. Did you mean 'jsonl'?"),
    ("path: data/messages.jsonl", "pth: x", "4: data.pth: unknown key. Did you mean 'path'?"),
    ("path: data/messages.jsonl", "path: ''", "4: data.path: value '': expected a text that is not empty"),
    ("path: data/messages.jsonl, ", "", "3: data.path: this key is missing and has no default"),
    ("text: message", "txt: message", "4: data.columns.txt: unknown role. Did you mean 'text'?"),
    ("text: message", "text: 3", "4: data.columns.text: value 3: expected the name of a column"),
    ("text: message", "text: language", "4: data.columns: column 'language' is both an input and the answer"),
    (", label: language", "", "4: data.columns: this needs `label` (or `target`)"),
    ("label: language", "label: a, target: b", "4: data.columns.target: `label` and `target` mean the same"),
    ("columns: {text: message, label: language}", "columns: [a]", "4: data.columns: value ['a']: expected a mapping"),
    ("golden: 0.1", "golden: 0.9", "5: data.split: value {"),
    ("golden: 0.1", "golden: 1.5", "5: data.split.golden: value 1.5: expected a number below 1"),
    ("base: transformers", "base: mlp", "6: model.checkpoint", "6: model.base: base model 'mlp' cannot be tuned for"),
    ("checkpoint: models/minilm", "checkpoint: 3", "6: model.checkpoint: value 3: expected a text"),
    ("epochs: 4", "epochs: four", "7: tune.epochs: value 'four': expected a number"),
    ("epochs: 4", "epochs: 0", "7: tune.epochs: value 0: expected a number above 0"),
    ("patience: 2", "patience: 0.5", "7: tune.early_stopping.patience: value 0.5: expected a whole number"),
    ("patience: 2", "patienc: 2", "7: tune.early_stopping.patienc: unknown key. Did you mean 'patience'?"),
    (
        "early_stopping: {metric: macro_f1",
        "early_stopping: {metric: rmse",
        "7: tune.early_stopping.metric: metric 'rmse'",
    ),
    ("[macro_f1, accuracy]", "[macro_f1, accuracy, rmse]", "8: evaluate.metrics[2]: metric 'rmse' cannot score task"),
    ("[macro_f1, accuracy]", "[macro_f1, f2]", "8: evaluate.metrics[1]: there is no metric named 'f2'"),
    ("[macro_f1, accuracy]", "true", "8: evaluate.metrics: value true: expected a list"),
    ("[macro_f1, accuracy]", "[]", "8: evaluate.metrics: value []: expected at least 1"),
    ("{macro_f1: 0.90}", "{accuracy_: 0.9}", "9: gate.require.accuracy_: there is no metric", "mean 'accuracy'?"),
    ("{macro_f1: 0.90}", "{rmse: 0.9}", "9: gate.require.rmse: metric 'rmse' is not reported, only macro_f1, accuracy"),
    ("margin: 0.01", "margn: 0.01", "9: gate.champion.margn: unknown key. Did you mean 'margin'?"),
    ("format: onnx", "format: onxx", "10: export.format: there is no exporter named 'onxx'. Did you mean 'onnx'?"),
    ("mode: int8-dynamic", "mode: int8", "10: export.quantize.mode: value 'int8': exporter 'onnx' has no such"),
    ("max_loss: 0.005", "max_loss: .inf", "10: export.quantize.max_loss: value .inf: a finite number"),
    ("port: 3000", "port: 0", "11: serve.port: value 0: expected a number of at least 1"),
    ("port: 3000", "port: '3000'", "11: serve.port: value '3000': expected a whole number"),
    ("port: 3000", "port: true", "11: serve.port: value true: expected a whole number"),
    ("port: 3000", "port: 3001", "11: serve.port: value 3001: serve.port and retrain.port must differ"),
    ("workers: 1", "worker: 1", "11: serve.worker: unknown key. Did you mean 'workers'?"),
    ("window: 1h", "window: 60", "12: monitor.window: value 60: expected a number with its unit: 90s, 5m"),
    ("window: 1h", "window: []", "12: monitor.window: value []: expected one to 8 different times"),
    ("window: 1h", "window: [1h, 60m]", "12: monitor.window: value ['1h', '60m']: expected one to 8 different times"),
    ("window: 1h", "window: automatic", "12: monitor.window: value 'automatic': expected", "or auto"),
    ("monitor: {window: 1h}", "monitor: 3", "12: monitor: value 3: expected a mapping"),
    (
        "monitor: {window: 1h}",
        "monitor: {links: {grafana: grafana:3100}}",
        "12: monitor.links.grafana: value 'grafana:3100': expected an address such as http://127.0.0.1:3100",
    ),
    (
        "monitor: {window: 1h}",
        "monitor: {links: {runbook: 'http://wiki/{{ evil }}'}}",
        "12: monitor.links.runbook: value 'http://wiki/{{ evil }}': expected an address",
    ),
    (
        "monitor: {window: 1h}",
        "monitor: {detectors: [adwim]}",
        "12: monitor.detectors[0]: there is no detector named 'adwim'. Did you mean 'adwin'?",
    ),
    (
        "monitor: {window: 1h}",
        "monitor:\n  detectors:\n    - {name: adwin, delta: 2}\n    - {delta: 0.1}\n    - 3",
        "14: monitor.detectors[0].delta: value 2: expected a number below 1",
        "15: monitor.detectors[1].name: this key is missing and has no default",
        "16: monitor.detectors[2]: value 3: expected the name of a detector, or a mapping with `name`",
    ),
    (
        "monitor: {window: 1h}",
        "monitor: {detectors: [adwin, {name: adwin, delta: 0.1}]}",
        "12: monitor.detectors[1]: detector 'adwin' stands here twice",
    ),
    ("monitor: {window: 1h}", "monitor: {detectors: adwin}", "12: monitor.detectors: value 'adwin': expected a list"),
    (
        "[drift, accuracy]",
        "[drift, speed]",
        "13: retrain.on[1]: value 'speed': expected 'drift', 'accuracy' or 'concept'",
    ),
    ("cooldown: 6h", "cooldown: 0s", "13: retrain.cooldown: value '0s': expected a time above 0s"),
    ("cooldown: 6h", "cooldown: !!python/none x", "13: retrain.cooldown: the tag", "leave it out"),
    ("cooldown: 6h", "min_labels: 3", "13: retrain.min_labels: this key stands here a second time", "in line 13"),
]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change[1])
def test_one_change(parse: Any, desk: str, change: tuple[str, ...]) -> None:
    before, after, *said = change
    assert before in desk
    found = "\n".join(problems(parse, desk.replace(before, after, 1)))
    for text in said:
        assert text in found, found


def test_all_at_once_in_the_order_of_the_file(parse: Any, desk: str) -> None:
    text = desk.replace("port: 3000", "port: 0").replace("epochs: 4", "epochs: x").replace("source: jsonl", "source: y")
    lines = [int(problem.split(":")[1]) for problem in problems(parse, text)]
    assert lines == [4, 7, 11]


def test_framework_must_fit(parse: Any) -> None:
    text = (
        "name: desk\ntask: tabular-classification\ndata: {source: csv, path: a, columns: {target: b}}\n"
        "model: {base: forest}\ntune: {strategy: full}\n"
    )
    found = problems(parse, text)
    assert "4: model.base: exporter 'onnx' takes models made with torch" in found[0]
    assert "strategy 'full' trains models made with torch, and base model 'forest' is made with sklearn." in found[1]
    assert "Strategies for it: fit" in found[1]


def test_options_that_ignore_unknown_keys_are_checked_all_the_same(parse: Any) -> None:
    text = (
        "name: desk\ntask: tabular-regression\ndata: {source: csv, path: a, columns: {target: b, inputs: [c, c]}}\n"
        "model: {base: mlp, alhpa: 1}\ntune: {strategy: full}\n"
    )
    found = problems(parse, text)
    assert "3: data.columns.inputs[1]: column 'c' stands here twice" in found[0]
    assert "4: model.alhpa: unknown key. Did you mean 'alpha'?" in found[1]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "tuneloop.yaml:1: the file is empty"),
        (b"# nothing\n", "the file is empty"),
        (b"just words", "value 'just words': expected a mapping of keys to values"),
        (b"- a\n- b\n", "value ['a', 'b']: expected a mapping"),
        (b"name: x\ntask: [a\nb: 3", "tuneloop.yaml:3: this is no valid YAML: while parsing a flow sequence"),
        (b"name: x\n\ttask: y", "tuneloop.yaml:2: this is no valid YAML"),
        (b"a: 1\n---\nb: 2\n", "tuneloop.yaml:2: this is no valid YAML: expected a single document"),
        (b"\x89PNG\r\n\x1a\n\x00", "this is no text file in UTF-8"),
        (b"name: a\0b", "this is a binary file"),
        (b"x" * 1_000_001, "a project file has at most 1,000,000"),
        (b"[" * 5000, "this is no valid YAML"),
    ],
)
def test_no_project_file_at_all(parse: Any, content: bytes, said: str) -> None:
    assert said in only(parse, content)


def test_anchors_that_explode_or_contain_themselves(parse: Any) -> None:
    bomb = "a: &a [x, x, x, x, x, x, x, x, x]\n"
    for before, after in zip("abcdefgh", "bcdefghi", strict=True):
        bomb += f"{after}: &{after} [{', '.join([f'*{before}'] * 9)}]\n"
    assert any("more than 20,000 values" in problem for problem in problems(parse, bomb))
    assert any("levels deep" in problem for problem in problems(parse, "name: &n [*n]\n"))


def test_a_very_long_number(parse: Any, desk: str) -> None:
    assert any("serve.port" in problem for problem in problems(parse, desk.replace("3000", "9" * 5000)))


KEYS = st.sampled_from(
    [*ProjectShape.model_fields, *DataShape.model_fields, "base", "strategy", "metrics", "on", "text"]
)
WORDS = st.one_of(
    st.sampled_from(["desk", "csv", "full", "mlp", "onnx", "1h", "macro_f1", "label", "tabular-classification"]),
    st.text(),
)
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), WORDS),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.one_of(KEYS, st.text()), inner, max_size=6)
    ),
    max_leaves=20,
)
QUICK = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def clean(parse: Any, content: bytes) -> None:
    """Anything ends as a project or as one readable error."""
    told: tuple[str, ...] = ()
    try:
        assert isinstance(parse(content), Project)
    except ConfigError as error:
        told = error.problems or ("an error without problems",)
    assert all(line.startswith("tuneloop.yaml:") for line in told), told


@QUICK
@given(content=st.binary())
def test_any_bytes(parse: Any, content: bytes) -> None:
    clean(parse, content)


@QUICK
@given(text=st.text(alphabet=st.sampled_from("abn:- {}[]#&*!|>'\"%@`,?\n\t~<=01.")))
def test_any_text_of_yaml_signs(parse: Any, text: str) -> None:
    clean(parse, text.encode())


@QUICK
@given(value=VALUES)
def test_any_yaml(parse: Any, value: Any) -> None:
    stream = io.StringIO()
    YAML(typ="safe", pure=True).dump(value, stream)
    clean(parse, stream.getvalue().encode("utf-8", "surrogatepass"))


@QUICK
@given(data=st.data())
def test_any_damage_to_a_sound_file(parse: Any, desk: str, data: st.DataObject) -> None:
    content = bytearray(desk.encode())
    start = data.draw(st.integers(0, len(content)))
    end = data.draw(st.integers(start, min(len(content), start + 30)))
    content[start:end] = data.draw(st.binary(max_size=12))
    clean(parse, bytes(content))
