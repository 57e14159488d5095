"""`tuneloop init --data` takes what people have: other delimiters, packed files, globs, folders."""

from __future__ import annotations

import base64
import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tuneloop.api import TuneloopError
from tuneloop.cli.sample import sample_of
from tuneloop.config import load_project
from tuneloop.plugins import PluginManager

PEOPLE = "age{0}job{0}income\n" + "".join(
    f"{20 + i}{{0}}{'cook' if i % 3 else 'smith'}{{0}}{'high' if i % 2 else 'low'}\n" for i in range(40)
)
DOT = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg==")


@pytest.fixture(scope="module")
def plugins() -> PluginManager:
    return PluginManager().load()


@pytest.mark.parametrize(("name", "delimiter"), [("p.csv", ";"), ("p.csv", "|"), ("p.tsv", "\t"), ("p.csv", ",")])
def test_what_init_writes_reads_the_same_columns(
    tuneloop: Callable[..., Any], tmp_path: Path, plugins: PluginManager, name: str, delimiter: str
) -> None:
    pytest.importorskip("datasets")
    (tmp_path / name).write_text(PEOPLE.format(delimiter))
    done = tuneloop("init", "--data", name, "--name", "people")
    assert done.returncode == 0, done.stderr
    project = load_project(tmp_path, plugins)
    assert project.task == "tabular-classification"
    rows = plugins.create("data source", project.data.source, project.data.options).load(tmp_path)
    assert rows.column_names == ["age", "job", "income"]


def test_a_packed_file_and_a_glob(tuneloop: Callable[..., Any], tmp_path: Path, plugins: PluginManager) -> None:
    pytest.importorskip("datasets")
    for part in "ab":
        (tmp_path / f"{part}.csv.gz").write_bytes(gzip.compress(PEOPLE.format(";").encode()))
    for data, count in (("a.csv.gz", 40), ("*.csv.gz", 80)):
        done = tuneloop("init", "--data", data, "--name", "people", "--force")
        assert done.returncode == 0, done.stderr
        project = load_project(tmp_path, plugins)
        rows = plugins.create("data source", project.data.source, project.data.options).load(tmp_path)
        assert len(rows) == count


@pytest.mark.parametrize(
    ("file", "source", "task"),
    [("dot.PNG", "image-folder", "image-classification"), ("a.wav", "audio-folder", "audio-classification")],
)
def test_a_folder_of_labels(
    tuneloop: Callable[..., Any], tmp_path: Path, plugins: PluginManager, file: str, source: str, task: str
) -> None:
    for label in ("cat", "dog"):
        (tmp_path / "files" / label).mkdir(parents=True)
        (tmp_path / "files" / label / file).write_bytes(DOT)
    done = tuneloop("init", "--data", "files", "--name", "pets")
    assert done.returncode == 0, done.stderr
    project = load_project(tmp_path, plugins)
    assert (project.task, project.data.source, project.data.options.path) == (task, source, "files")
    done = tuneloop("init", "--data", "files", "--task", "text-classification", "--force")
    assert done.returncode == 2
    assert f"is for task '{task}'" in done.stderr


def test_texts_alone_are_to_be_gone_on_with(
    tuneloop: Callable[..., Any], tmp_path: Path, plugins: PluginManager
) -> None:
    (tmp_path / "stories.csv").write_text("story\n" + "".join(f"once upon a time {i}\n" for i in range(40)))
    done = tuneloop("init", "--data", "stories.csv", "--name", "stories")
    assert done.returncode == 0, done.stderr
    assert "text-generation, of the texts in column 'story'" in done.stdout
    assert load_project(tmp_path, plugins).data.columns.inputs == {"text": "story"}


def test_what_is_not_there_or_nothing_reads(tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    (tmp_path / "broken.csv.gz").write_bytes(b"\x1f\x8b\x08\x00no archive at all")
    for name, said in (
        ("*.csv", "no file has such a name"),
        ("none", "holds no folder of pictures or sounds"),
        ("rows.xlsx.gz", r"no data source for '\.xlsx'"),
        ("broken.csv.gz", "cannot be read"),
    ):
        with pytest.raises(TuneloopError, match=said):
            sample_of(tmp_path / name)
