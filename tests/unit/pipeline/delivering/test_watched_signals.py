"""`monitor.signals` and `monitor.exclude` from the file to the artifact: what is not watched has no reference."""

from __future__ import annotations

import pytest

from tuneloop.api import ConfigError
from tuneloop.artifact import REFERENCE
from tuneloop.config import load_project
from tuneloop.monitoring.reference import Reference
from tuneloop.pipeline import run_pipeline
from tuneloop.plugins import default_manager

pytest.importorskip("dbos")
pytest.importorskip("torch")


def test_only_signals_that_are_watched_have_a_reference(tmp_path, write_project):
    folder = write_project(tmp_path / "income", epochs=1, wanted=0.1)
    file, plugins = folder / "tuneloop.yaml", default_manager()
    text = file.read_text()
    [before] = [line for line in text.splitlines() if line.startswith("monitor:")]

    def watch(signals: str) -> None:
        file.write_text(text.replace(before, f"monitor: {{signals: [{signals}], exclude: ['column:age']}}"))

    watch("column-number, answer, embeding")
    seen = []
    with pytest.raises(ConfigError, match="no signal 'embeding' to watch"):
        run_pipeline(load_project(folder, plugins), plugins, listen=seen.append)
    watch("column-number, answer")
    project = load_project(folder, plugins)
    result = run_pipeline(project, plugins, listen=seen.append)
    assert result.state == "passed"
    assert [event.step for event in seen if event.kind == "finished" and event.reused].count("tune") == 1
    assert set(Reference.load(result.artifact / REFERENCE).by_label) == {"answer", "column:hours"}
