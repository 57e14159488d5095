"""What `tuneloop run` prints while it works."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.unit.pipeline.conftest import write_table_project

from tuneloop.cli.run import progress_shown
from tuneloop.config import load_project
from tuneloop.pipeline import Listener, Progress, run_pipeline
from tuneloop.plugins import default_manager

MODEL = "model: {candidates: [{base: tabular-mlp, hidden: [2]}]}"
TABLE = "base model   macro_f1\nsmall          0.8000  chosen\nlarge [32]     0.7000"


def test_a_table_stands_below_the_line_of_its_step(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_shown() as listen:
        listen(Progress("started", "candidates"))
        listen(Progress("finished", "candidates", 1.5, data={"of": 2}, table=TABLE))
        listen(Progress("finished", "tune", 2.0))
    step, *table, tune = capsys.readouterr().err.splitlines()
    assert step.endswith("1.5 s  of 2")
    assert [line.strip() for line in table] == TABLE.splitlines()
    assert len({line.index(line.strip()) for line in table}) == 1
    assert "tune" in tune


class StoppedError(Exception):
    """The run is not needed any further."""


def test_candidates_are_shown_as_a_table_also_where_an_earlier_run_compared_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("dbos")
    pytest.importorskip("torch")
    folder = write_table_project(tmp_path / "income", rows=200, epochs=1)
    file = folder / "tuneloop.yaml"
    file.write_text(file.read_text().replace("model: {base: tabular-mlp, hidden: [16]}", MODEL))
    plugins, found = default_manager(), []
    for took in (" s ", "reused"):
        with progress_shown() as show, pytest.raises(StoppedError):
            run_pipeline(load_project(folder, plugins), plugins, listen=until_baseline(show))
        lines = capsys.readouterr().err.splitlines()
        place = next(row for row, line in enumerate(lines) if line.startswith("  candidates") and "chosen" in line)
        assert took in lines[place]
        found.append([line.strip() for line in lines[place + 1 : place + 3]])
    head, model = found[0]
    assert head.startswith("base model")
    assert model.startswith("tabular-mlp")
    assert model.endswith("  chosen")
    assert model.index("  0.") + 2 == head.index("macro_f1"), "columns stand below their names"
    assert found[1] == found[0]


def until_baseline(show: Listener) -> Listener:
    def listen(event: Progress) -> None:
        if event.step == "baseline":
            raise StoppedError
        show(event)

    return listen
