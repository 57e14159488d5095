"""`tuneloop init` writes a file that validates, whatever the data looks like."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tuneloop.api import ConfigError, TuneloopError
from tuneloop.cli.guess import Guess, guess_columns
from tuneloop.cli.sample import read_sample
from tuneloop.cli.stocks import TASKS
from tuneloop.config import load_project
from tuneloop.plugins import PluginManager

MESSAGES = [
    {"id": i, "language": "en" if i % 2 else "it", "message": f"this is the message number {i}"} for i in range(40)
]
PEOPLE = "age;job;income\n" + "".join(
    f"{20 + i};{'cook' if i % 3 else 'smith'};{'>50K' if i % 2 else '<=50K'}\n" for i in range(40)
)
TEXTS = Guess("text-generation", None, "text", None)
HOUSES = "rooms,town,price\n" + "".join(f"{i % 7},{'a' if i % 2 else 'b'},{1000.5 * i}\n" for i in range(40))


@pytest.fixture(scope="module")
def plugins() -> PluginManager:
    return PluginManager().load()


@pytest.mark.parametrize("task", TASKS)
def test_without_data(tuneloop: Callable[..., Any], tmp_path: Path, plugins: PluginManager, task: str) -> None:
    done = tuneloop("init", "My Desk", "--task", task)
    assert done.returncode == 0, done.stderr
    project = load_project(tmp_path / "My Desk", plugins)
    assert (project.name, project.task) == ("my-desk", task)
    assert "tuneloop run --project 'My Desk'" in done.stdout


def test_it_never_overwrites_silently(tuneloop: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "tuneloop.yaml").write_text("mine")
    done = tuneloop("init")
    assert done.returncode == 2
    assert "tuneloop.yaml is there already" in done.stderr
    assert (tmp_path / "tuneloop.yaml").read_text() == "mine"
    assert tuneloop("init", "--force", "--name", "desk").returncode == 0
    assert "name: desk" in (tmp_path / "tuneloop.yaml").read_text()


def test_with_data(tuneloop: Callable[..., Any], tmp_path: Path, plugins: PluginManager) -> None:
    (tmp_path / "desk" / "data").mkdir(parents=True)
    (tmp_path / "desk" / "data" / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in MESSAGES))
    done = tuneloop("init", "desk", "--data", "desk/data/rows.jsonl")
    assert done.returncode == 0, done.stderr
    project = load_project(tmp_path / "desk", plugins)
    assert project.data.source == "jsonl"
    assert project.data.columns.inputs == {"text": "message"}
    assert (project.data.columns.target, project.data.columns.key) == ("language", "id")
    assert "path: data/rows.jsonl" in (tmp_path / "desk" / "tuneloop.yaml").read_text()


def test_times_and_identifiers_are_warned_of(tuneloop: Callable[..., Any], tmp_path: Path) -> None:
    lines = [f"{1_700_000_000 + i},k{i * 7 % 101},{i % 9},{'a' if i % 2 else 'b'}" for i in range(80)]
    (tmp_path / "rows.csv").write_text("\n".join(["when,ticket,rooms,label", *lines]) + "\n")
    done = tuneloop("init", "--data", "rows.csv")
    assert done.returncode == 0, done.stderr
    assert "column 'when' are in order, like a time" in done.stderr
    assert "column 'ticket' are all different, like an identifier" in done.stderr
    assert "monitor: {exclude: ['column:ticket']}" in done.stderr
    assert "'rooms'" not in done.stderr


def test_a_name_that_is_none(tuneloop: Callable[..., Any], tmp_path: Path) -> None:
    done = tuneloop("init", "--name", "näme")
    assert done.returncode == 0, done.stderr
    assert "name: n-me" in (tmp_path / "tuneloop.yaml").read_text()


@pytest.mark.parametrize(
    ("name", "content", "guess"),
    [
        (
            "t.jsonl",
            "".join(
                json.dumps({"source": f"the text number {i}", "translation": f"der {i}. Text"}) + "\n" for i in range(9)
            ),
            Guess("translation", "translation", "source", None),
        ),
        (
            "e.csv",
            "english,german\n" + "".join(f"this is text {i},das ist Text {i}\n" for i in range(40)),
            Guess("translation", "german", "english", None),
        ),
        (
            "l.csv",
            "body,short\n" + "".join(f"this is a text of many words {i},{i}.\u3042\n" for i in range(40)),
            Guess("summarization", "short", "body", None),
        ),
        (
            "g.jsonl",
            "".join(json.dumps({"id": i, "story": f"once upon a time {i}"}) + "\n" for i in range(40)),
            Guess("text-generation", None, "story", "id"),
        ),
        ("t.csv", "text\n" + "".join(f"yes; or no {i}; or both\n" for i in range(40)), TEXTS),
        (
            "s.jsonl",
            "".join(json.dumps({"article": "a b c " * i, "summary": f"a {i}", "id": i}) + "\n" for i in range(1, 9)),
            Guess("summarization", "summary", "article", "id"),
        ),
        (
            "m.jsonl",
            "".join(json.dumps(r) + "\n" for r in MESSAGES),
            Guess("text-classification", "language", "message", "id"),
        ),
        ("p.csv", PEOPLE, Guess("tabular-classification", "income", None, None)),
        ("h.csv", HOUSES, Guess("tabular-regression", "price", None, None)),
        (
            "t.jsonl",
            "".join(json.dumps({"tokens": ["a", "b"], "tags": ["O", "B-x"]}) + "\n" for _ in range(9)),
            Guess("token-classification", "tags", "tokens", None),
        ),
        (
            "l.jsonl",
            "".join(json.dumps({"body": f"this is text number {i}", "topics": ["a"]}) + "\n" for i in range(9)),
            Guess("multi-label-classification", "topics", "body", None),
        ),
        (
            "s.jsonl",
            "".join(json.dumps({"id": i, "review": f"this is review {i}", "rating": i / 7}) + "\n" for i in range(40)),
            Guess("text-regression", "rating", "review", "id"),
        ),
        (
            "q.jsonl",
            "".join(
                json.dumps({"question": f"what is number {i}?", "context": "the same text", "answers": {"text": ["a"]}})
                + "\n"
                for i in range(9)
            ),
            Guess("question-answering", "answers", "context", None),
        ),
    ],
)
def test_guesses(tmp_path: Path, name: str, content: str, guess: Guess) -> None:
    file = tmp_path / name
    file.write_text(content)
    rows = read_sample(file, "jsonl" if name.endswith("l") else "csv")
    assert guess_columns(rows, file, task=None, text=None, target=None) == guess


def test_a_table_of_sounds_and_what_is_said_in_them(
    tuneloop: Callable[..., Any], tmp_path: Path, plugins: PluginManager
) -> None:
    rows = ({"id": 3, "clip": "a.WAV", "text": "one two"}, {"id": 4, "clip": "b/c.flac", "text": "three"})
    (tmp_path / "said.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    done = tuneloop("init", "--data", "said.jsonl", "--name", "dictation")
    assert done.returncode == 0, done.stderr
    project = load_project(tmp_path, plugins)
    assert (project.task, project.data.source) == ("automatic-speech-recognition", "audio-transcripts")
    assert project.data.columns.target == "text"
    assert project.data.columns.key == "clip"
    assert project.data.options.file == "clip"


@pytest.mark.parametrize(("name", "sign"), [("said.tsv", "\t"), ("said.csv.gz", ";"), ("said.csv", ",")])
def test_a_table_of_sounds_of_any_form_is_read_as_it_was_looked_into(
    tuneloop: Callable[..., Any], tmp_path: Path, plugins: PluginManager, name: str, sign: str
) -> None:
    lines = [("clip", "text"), ("a.wav", "one two, three"), ("b.wav", "four; five")]
    content = "".join(sign.join(f'"{value}"' for value in line) + "\n" for line in lines).encode()
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    for clip in ("a.wav", "b.wav"):
        (tmp_path / clip).write_bytes(b"RIFF")
    done = tuneloop("init", "--data", name, "--name", "dictation")
    assert done.returncode == 0, done.stderr
    project = load_project(tmp_path, plugins)
    source = plugins.create("data source", project.data.source, project.data.options)
    assert list(source.load(tmp_path)["text"]) == ["one two, three", "four; five"]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("absent.csv", None, "there is no such file"),
        ("empty.csv", "", "no rows with named columns"),
        ("bad.jsonl", "{no json", "this is not jsonl"),
        ("list.jsonl", "[1]\n", "no rows with named columns"),
    ],
)
def test_files_that_cannot_be_read(tmp_path: Path, name: str, content: str | None, said: str) -> None:
    file = tmp_path / name
    if content is not None:
        file.write_text(content)
    with pytest.raises(TuneloopError, match=said):
        read_sample(file, name.rpartition(".")[2])


def test_columns_that_are_not_there(tmp_path: Path) -> None:
    rows = [{"text": "a", "label": "b"}]
    with pytest.raises(TuneloopError, match=r"has no column 'lable'. Did you mean 'label'\? Known: text, label"):
        guess_columns(rows, Path("rows.csv"), task=None, text=None, target="lable")
    with pytest.raises(TuneloopError, match="has one column, 'text'"):
        guess_columns([{"text": 3}], Path("rows.csv"), task=None, text=None, target=None)


def test_an_unknown_suffix(tuneloop: Callable[..., Any]) -> None:
    done = tuneloop("init", "--data", "rows.xlsx")
    assert done.returncode == 2
    assert "no data source for '.xlsx'. Known: .csv, .jsonl" in done.stderr


def test_a_metric_that_reads_texts_ends_a_training_where_it_is_reported(
    tuneloop: Callable[..., Any], tmp_path: Path, plugins: PluginManager
) -> None:
    assert tuneloop("init", "desk", "--task", "translation").returncode == 0
    file = tmp_path / "desk" / "tuneloop.yaml"
    text = file.read_text()
    assert "by perplexity; with metric: chrf" in text
    file.write_text(text.replace("early_stopping: {patience", "early_stopping: {metric: chrf, patience"))
    assert load_project(tmp_path / "desk", plugins).tune.options.early_stopping.metric == "chrf"
    file.write_text(text.replace("early_stopping: {patience", "early_stopping: {metric: wer, patience"))
    with pytest.raises(ConfigError, match=r"tune.early_stopping.metric: metric 'wer' is not reported, only chrf, bleu"):
        load_project(tmp_path / "desk", plugins)
