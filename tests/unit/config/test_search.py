"""`search` and `model.candidates`: every path and value is checked as if it stood in the file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tuneloop.api import ConfigError
from tuneloop.config import parse_project, project_schema
from tuneloop.config.changes import changed, read_path
from tuneloop.config.document import read_document
from tuneloop.config.search import Choice, Limits, Span


def problems(parse: Any, text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        parse(text)
    return [problem.partition("tuneloop.yaml:")[2] for problem in caught.value.problems]


def space(*lines: str, more: str = "") -> str:
    return "search:\n" + more + "  space:\n" + "".join(f"    {line}\n" for line in lines)


def test_what_a_project_says_is_what_a_search_reads(parse: Any, desk: str) -> None:
    lines = (
        "tune.learning_rate: {low: 1e-5, high: 1.0e-3, log: true}",
        "tune.epochs: {low: 2, high: 6, step: 2}",
        "model.pooling: [mean, cls]",
        "tune.early_stopping: [null, {metric: accuracy, patience: 3}]",
    )
    found = parse(desk + space(*lines, more="  trials: 7\n  timeout: 2h\n  parallel: 3\n  prune: hyperband\n")).search
    assert found is not None
    assert found.space["tune.learning_rate"] == Span(1e-5, 1e-3, log=True)
    assert found.space["tune.epochs"] == Span(2, 6, step=2)
    assert found.space["tune.epochs"].whole
    assert found.space["model.pooling"] == Choice(("mean", "cls"))
    assert (found.trials, found.timeout, found.parallel, found.prune) == (7, 7200.0, 3, "hyperband")
    assert parse(desk).search is None


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("tune.learnin_rate: [0.1]", "16: search.space.tune.learnin_rate: with 0.1 there: unknown key. Did you mean"),
        ("tune.learning_rate: [0.1, fast]", "16: search.space.tune.learning_rate: with 'fast' there: value 'fast'"),
        ("tune.epochs: {low: 0, high: 5}", "with 0 there: value 0: expected a number above 0"),
        ("tune.epochs: {low: 1, high: 5000}", "with 5000 there: value 5000: expected a number of at most 1000"),
        ("tune.epochs: {low: 5, high: 1}", "expected low below high; they are 5 and 1"),
        ("tune.epochs: {low: 0, high: 1, log: true}", "expected low above 0, and no step, where log is true"),
        ("tune.epochs: {low: 1}", "expected bounds such as {low: 1.0e-5, high: 1.0e-3, log: true}, with the keys"),
        ("tune.epochs: {low: a, high: b}", "expected low, high and step to be numbers"),
        ("tune.epochs: {low: 1, high: 3, step: 5}", "expected a step above 0 that fits"),
        ("tune.epochs: []", "expected at least one value, each once"),
        ("tune.epochs: [1, 1]", "expected at least one value, each once"),
        ("tune.epochs: 3", "expected a list of values such as [16, 32], or bounds such as"),
        ("data.split.seed: [1, 2]", "expected the path of an option, such as tune.learning_rate"),
        ("data.path: [a.jsonl]", "expected the path of an option"),
        ("evaluate.metrics: [[accuracy]]", "expected the path of an option"),
        ("tune: [{strategy: full}]", "expected the path of an option"),
        ("tune..epochs: [1]", "expected the path of an option"),
        ("export.tolerance: [1, 2]", "this cannot be searched over: it says what is accepted"),
        ("data.transforms[0].column: [a]", "with 'a' there: there is no data.transforms[0] in the file"),
        ("model.base: [mlp]", "with 'mlp' there: base model 'mlp' cannot be tuned for"),
    ],
)
def test_what_cannot_be_right_is_told_with_its_line(parse: Any, desk: str, line: str, said: str) -> None:
    (found,) = problems(parse, desk + space(line))
    assert found.startswith("16: "), found
    assert said in found


def test_options_of_one_of_several_plugins_may_be_searched(parse: Any, desk: str) -> None:
    lines = ("export.quantize.mode: [int8-dynamic, int8-static]", "tune.strategy: [full, gradual-unfreezing]")
    assert parse(desk + space(*lines, "tune.epochs: [1, 2]")).search is not None
    (found,) = problems(parse, desk + space(*lines, "tune.head_epochs: [1, 2]"))
    assert "18: search.space.tune.head_epochs: with 1 there: unknown key" in found


def test_an_option_that_the_strategy_does_not_use_is_not_searched(parse: Any, desk: str) -> None:
    frozen = desk.replace("strategy: gradual-unfreezing", "strategy: frozen")
    assert parse(frozen).tune.options.learning_rate == 3e-5
    rates = "tune.learning_rate: [0.1, 0.2]"
    (found,) = problems(parse, frozen + space(rates))
    assert found == (
        "16: search.space.tune.learning_rate: with 0.1 there: strategy 'frozen' does not use tune.learning_rate: "
        "nothing learns at it"
    )
    assert parse(frozen + space("tune.epochs: [1, 2]")).search is not None
    assert parse(frozen + space(rates, "tune.strategy: [frozen, full]")).search is not None


def test_transforms_are_searched_only_where_rows_keep_their_split(parse: Any, desk: str) -> None:
    with_one = desk.replace("split: {", "transforms: [{name: text-clean, column: message}], split: {")
    assert parse(with_one + space("data.transforms[0].column: [message, other]")).search is not None
    (found,) = problems(parse, with_one.replace(", key: id", "") + space("data.transforms[0].column: [message, other]"))
    assert "name a column in data.split.key, group or time" in found


def test_a_grid_needs_steps_and_a_metric_must_be_reported(parse: Any, desk: str) -> None:
    lines = ("tune.learning_rate: {low: 0.1, high: 0.2}",)
    (found,) = problems(parse, desk + space(*lines, more="  sampler: grid\n"))
    assert "a grid needs a list of values, or bounds with a step" in found
    (found,) = problems(parse, desk + space(*lines, more="  metric: rmse\n"))
    assert "metric 'rmse' is not reported, only macro_f1, accuracy" in found


CANDIDATES = """\
model:
  candidates:
    - {base: transformers, checkpoint: models/small}
    - {base: transformers, checkpoint: models/large, pooling: cls}
  limits: {parameters: 30000000, latency_ms: 5}
"""


def with_candidates(desk: str, text: str = CANDIDATES) -> str:
    return desk.replace("model: {base: transformers, checkpoint: models/minilm}\n", text)


def test_candidates_are_read_like_models(parse: Any, desk: str) -> None:
    project = parse(with_candidates(desk))
    assert project.model.options.checkpoint == "models/small"
    assert project.candidates.models[1] == {"base": "transformers", "checkpoint": "models/large", "pooling": "cls"}
    assert project.candidates.limits == Limits(parameters=30000000, latency_ms=5)
    assert parse(desk).candidates is None


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("pooling: cls", "poling: cls", "9: model.candidates[1].poling: unknown key. Did you mean 'pooling'?"),
        ("base: transformers, checkpoint: models/small", "base: tranformers", "8: model.candidates[0].base: there is"),
        (
            "checkpoint: models/large, pooling: cls",
            "checkpoint: models/small",
            "9: model.candidates[1]: this candid",
        ),
        ("latency_ms: 5", "latency_ms: 0", "10: model.limits.latency_ms: value 0: expected a number above 0"),
        ("latency_ms: 5", "speed: 5", "10: model.limits.speed: unknown key"),
        ("  limits:", "  base: mlp\n  limits:", "10: model.base: unknown key. Known here: candidates, limits"),
    ],
)
def test_problems_of_candidates_have_their_lines(parse: Any, desk: str, before: str, after: str, said: str) -> None:
    found = problems(parse, with_candidates(desk, CANDIDATES.replace(before, after)))
    assert any(problem.startswith(said) for problem in found), found


def test_no_candidates_is_told(parse: Any, desk: str) -> None:
    (found,) = problems(parse, with_candidates(desk, "model: {candidates: []}\n"))
    assert "model.candidates: value []: expected at least 1 of them" in found


def test_changes_stand_in_place_of_the_files_values(plugins: Any, desk: str) -> None:
    changes = {"tune.learning_rate": 0.5, "model": {"base": "transformers", "checkpoint": "x"}, "search": None}
    content = with_candidates(desk + space("tune.learning_rate: [0.5]")).encode()
    found = parse_project(content, Path("tuneloop.yaml"), plugins, changes)
    assert found.tune.options.learning_rate == 0.5
    assert found.model.options.checkpoint == "x"
    assert (found.candidates, found.search) == (None, None)
    with pytest.raises(ConfigError, match="value -1"):
        parse_project(content, Path("tuneloop.yaml"), plugins, {"tune.learning_rate": -1})


def test_paths_lead_through_lists_and_named_plugins() -> None:
    assert read_path("data.transforms[0].name") == read_path("data.transforms.0.name")
    assert read_path("a..b") is read_path("") is read_path("a[b]") is read_path("a.") is None
    document = read_document(b"data: {transforms: [lower, {name: b, x: 1}]}")
    found = changed(document, {"data.transforms[0].x": 2, "data.transforms[1].x": 3}).value
    assert found == {"data": {"transforms": [{"name": "lower", "x": 2}, {"name": "b", "x": 3}]}}
    assert document.value["data"]["transforms"][0] == "lower"
    with pytest.raises(LookupError):
        changed(document, {"data.transforms[2].x": 1})


def test_the_schema_knows_both(plugins: Any) -> None:
    schema = project_schema(plugins)
    assert {"$ref": "#/$defs/CandidatesShape"} in schema["properties"]["model"]["anyOf"]
    assert schema["$defs"]["CandidatesShape"]["properties"]["candidates"]["items"] == {"$ref": "#/$defs/ModelShape"}
    assert "space" in schema["$defs"]["SearchShape"]["properties"]
