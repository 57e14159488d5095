"""Metrics of texts that are written in training, and what a project may say of them."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from tuneloop.api import ConfigError
from tuneloop.config import parse_project
from tuneloop.config.texts import ROWS, written_rows
from tuneloop.plugins import default_manager

DESK = """\
name: desk
task: translation
data: {source: jsonl, path: pairs.jsonl, columns: {text: en, label: ja}, split: {key: id}}
model: {base: seq2seq-small}
tune: {strategy: full, %s}
%s
"""
SPACE = "space: {tune.learning_rate: [1.0e-3, 1.0e-2]}"
EXPORTS = "space: {export.quantize: [null, {mode: int8-dynamic}]}"


@pytest.fixture(scope="module")
def plugins():
    return default_manager()


def parse(plugins, tune="epochs: 2", more=""):
    return parse_project((DESK % (tune, more)).encode(), Path("tuneloop.yaml"), plugins)


@pytest.mark.parametrize(
    ("tune", "more"),
    [
        ("early_stopping: {metric: chrf}", ""),
        ("early_stopping: {metric: bleu}, written_rows: 7", ""),
        ("early_stopping: {metric: perplexity}, written_rows: 0", ""),
        ("early_stopping: {patience: 2}", ""),
        ("epochs: 2", f"search: {{{SPACE}}}"),
        ("epochs: 2", f"search: {{metric: bleu, {SPACE}}}"),
        ("written_rows: 0", f"search: {{metric: perplexity, {SPACE}}}"),
        ("written_rows: 0", f"search: {{{EXPORTS}}}"),
    ],
)
def test_training_and_search_go_by_what_is_told(plugins, tune, more):
    assert parse(plugins, tune, more).task == "translation"


@pytest.mark.parametrize(
    ("tune", "more", "said"),
    [
        (
            "early_stopping: {metric: chrf}, written_rows: 0",
            "",
            "tune.early_stopping.metric: metric 'chrf' reads texts, and tune.written_rows is 0: raise it, or go by "
            "perplexity",
        ),
        (
            "early_stopping: {metric: rouge_l}",
            "",
            "tune.early_stopping.metric: metric 'rouge_l' is not reported, only chrf, bleu: add it to evaluate.metrics",
        ),
        ("written_rows: 0", f"search: {{{SPACE}}}", "search.metric: metric 'chrf' reads texts, and tune.written_rows"),
        (
            "written_rows: 0",
            f"search: {{{SPACE}}}\ngate: {{champion: {{metric: bleu}}}}",
            "search.metric: metric 'bleu' reads texts",
        ),
        (
            "epochs: 2",
            f"search: {{metric: perplexity, {EXPORTS}}}",
            "search.metric: metric 'perplexity' is not reported, only chrf, bleu",
        ),
        (
            "epochs: 2",
            "search: {space: {tune.written_rows: [10, 20]}}",
            "this cannot be searched over: it says what is measured, not how the model is made",
        ),
        ("written_rows: -1", "", "tune.written_rows: value -1: expected a number of at least 0"),
    ],
)
def test_what_nothing_would_tell_is_refused(plugins, tune, more, said):
    with pytest.raises(ConfigError) as caught:
        parse(plugins, tune, more)
    assert said in str(caught.value)


def test_rows_to_write_of_a_task_that_writes_nothing_are_refused(plugins):
    text = (DESK % ("written_rows: 5", "")).replace("translation", "text-classification")
    with pytest.raises(ConfigError, match="value 5: task 'text-classification' writes no texts; leave it out"):
        parse_project(text.replace("seq2seq-small", "transformer").encode(), Path("tuneloop.yaml"), plugins)


@pytest.mark.parametrize(
    ("said", "asked", "rows"),
    [
        (None, [None], 0),
        (None, ["perplexity", None], 0),
        (None, ["chrf"], ROWS),
        (None, ["perplexity", "wer"], ROWS),
        (0, ["perplexity"], 0),
        (30, [None], 30),
    ],
)
def test_as_many_rows_as_something_goes_by(said, asked, rows):
    assert written_rows(SimpleNamespace(written_rows=said), asked) == rows
    assert written_rows(SimpleNamespace(), asked) == 0, "a strategy that cannot ask its model"
