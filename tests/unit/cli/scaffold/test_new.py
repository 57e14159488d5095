"""`tuneloop plugins new`: every kind builds into a wheel, installs, loads, and passes its own tests."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hatchling.builders.wheel import WheelBuilder

from tuneloop.cli.scaffold import TEMPLATES, read_names, write_plugin
from tuneloop.plugins import KINDS

REPOSITORY = Path(__file__).parents[4]


def check(fresh: Any, tmp_path: Any, kind: str) -> None:
    name = f"tuneloop-my-{kind}"
    made = fresh.run("tuneloop", "plugins", "new", name, "--kind", kind, cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    assert f"{name} holds the {kind.replace('-', ' ')}" in made.stdout
    project = tmp_path / name
    fresh.install_wheel(project)
    done = fresh.run("pytest", "-q", "-W", "error", "-p", "no:cacheprovider", cwd=project)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr
    assert int(re.search(r"(\d+) passed", done.stdout)[1]) > 3  # type: ignore[index]
    listed = json.loads(fresh.run("tuneloop", "plugins", "list", "--json", cwd=tmp_path).stdout)
    record = next(each for each in listed if each["distribution"] == name)
    assert (record["status"], record["reason"]) == ("loaded", "")
    assert [list(pair) for pair in record["classes"]] == (
        [] if kind == "observer" else [[kind.replace("-", " "), "my_metric" if kind == "metric" else f"my-{kind}"]]
    )


@pytest.mark.parametrize("kind", TEMPLATES)
def test_a_kind(fresh, tmp_path, kind):
    check(fresh, tmp_path, kind)


@pytest.mark.parametrize("kind", TEMPLATES)
def test_what_is_written_is_tidy(tmp_path, kind):
    project = write_plugin(read_names(f"tuneloop-my-{kind}", kind), kind, tmp_path)
    for command in (["check", "--select", "A,B,C4,E,F,I,PIE,RET,SIM,UP,W"], ["format", "--check"]):
        ruff = [sys.executable, "-m", "ruff", *command, "--isolated", "--line-length", "120"]
        done = subprocess.run(ruff, cwd=project, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout


def test_templates_are_in_the_wheel(tmp_path):
    wheel = next(WheelBuilder(str(REPOSITORY)).build(directory=str(tmp_path), versions=["standard"]))
    held = set(zipfile.ZipFile(wheel).namelist())
    templates = REPOSITORY / "platform" / "tuneloop" / "cli" / "scaffold" / "templates"
    wanted = {str(file.relative_to(REPOSITORY / "platform")) for file in templates.rglob("*.tmpl")}
    assert len(wanted) > 20
    assert wanted <= held
    assert "tuneloop/api/testing/__init__.py" in held


def test_there_is_a_template_for_every_kind():
    assert {each.kind for each in TEMPLATES.values()} == {info.kind for info in KINDS} | {None}


@pytest.mark.parametrize("name", ["Exact Share", "exact_share", "-x", "9a", "x--y", "x-", "", "../x", "é"])
def test_names_that_cannot_be(name):
    from tuneloop.api import TuneloopError

    with pytest.raises(TuneloopError, match="use small letters, digits and single dashes"):
        read_names(name, "metric")


@pytest.mark.parametrize(
    ("name", "taken", "said"),
    [
        ("json", (), "Python already has a module 'json'"),
        ("tuneloop-text", (), "Python already has a module 'tuneloop_text'"),
        ("class", (), "Try 'tuneloop-my-class'"),
        ("tuneloop-mine", ("mine",), "there is a metric named 'mine'"),
    ],
)
def test_names_that_are_taken(name, taken, said):
    from tuneloop.api import TuneloopError

    with pytest.raises(TuneloopError, match=said):
        read_names(name, "metric", taken)


@pytest.mark.parametrize(
    ("name", "cls"),
    [("tuneloop-metric", "MyMetric"), ("tuneloop-none", "MyNone"), ("tuneloop-3d", "My3d"), ("a-b2", "AB2")],
)
def test_class_names_hide_nothing(name, cls):
    assert read_names(name, "metric").cls == cls


def test_an_existing_folder_is_left_alone(tmp_path):
    from tuneloop.api import TuneloopError

    names = read_names("tuneloop-mine", "metric")
    (tmp_path / "tuneloop-mine").mkdir()
    with pytest.raises(TuneloopError, match="already exists, and nothing in it is overwritten"):
        write_plugin(names, "metric", tmp_path)
    assert not list((tmp_path / "tuneloop-mine").iterdir())
