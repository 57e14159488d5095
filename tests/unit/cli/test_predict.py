from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import click
import pytest

from tuneloop.api import ServingError
from tuneloop.cli.predict import figures, predict
from tuneloop.cli.predict_model import open_model, version_of
from tuneloop.serving.live import CHUNK_ROWS
from tuneloop.serving.offline.job import WINDOW_ROWS
from tuneloop.serving.offline.pace import Pace

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.mark.parametrize(
    ("wanted", "version"),
    [("desk", None), ("desk:3", "3"), ("desk@challenger", "challenger"), ("3", "3"), ("champion", "champion")],
)
def test_a_model_is_named_as_in_a_bento(wanted: str, version: str | None) -> None:
    assert version_of(wanted, "desk") == version


@pytest.mark.parametrize(
    ("wanted", "said"), [("other:3", "the model 'other'; the project here is 'desk'"), ("a:b:c", "names no model")]
)
def test_another_model_is_refused(wanted: str, said: str) -> None:
    with pytest.raises(ServingError, match=said):
        version_of(wanted, "desk")


@pytest.mark.parametrize("wanted", ["./none", "a/b"])
def test_a_path_without_a_model_is_refused(wanted: str) -> None:
    with pytest.raises(ServingError, match="neither an artifact folder"):
        open_model(wanted, None, "cpu")


def test_defaults_are_those_of_the_server() -> None:
    defaults = {option.name: option.default for option in predict.params if isinstance(option, click.Option)}
    assert (defaults["batch_size"], defaults["window"]) == (CHUNK_ROWS, WINDOW_ROWS)


def test_figures() -> None:
    assert figures(Pace(1200, 3, 0.5, 10.0, 1200, 0.5)) == "1,200 rows, 3 refused, 120 rows/s, 0:10 left"
    assert figures(Pace(0, 0, 0.0, 1.0, 0, 0.0)) == "0 rows, 0 rows/s"
    assert figures(Pace(10, 0, 0.001, 10.0, 10, 0.001)).endswith("2:46:30 left")


def test_without_a_project_one_message_says_so(tuneloop: Run, tmp_path: Path) -> None:
    done = tuneloop("predict", "desk", "--input", "a.csv", "--output", "b.csv")
    assert done.returncode == 2
    assert "there is no tuneloop.yaml" in done.stderr
    assert "Traceback" not in done.stderr


def test_two_ways_to_keep_columns_are_one_too_many(tuneloop: Run) -> None:
    done = tuneloop("predict", "--input", "a.csv", "--output", "b.csv", "--keep", "id", "--all-columns")
    assert done.returncode == 2
    assert "cannot both be given" in done.stderr
