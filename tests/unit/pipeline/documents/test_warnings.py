"""A model that passes, though it is worse than the run's own baseline: everybody who looks is told."""

import pytest
from click.testing import CliRunner

from tuneloop.pipeline.documents.warnings import warnings_of

WORSE = {
    "metric": "accuracy",
    "champion": 0.85,
    "challenger": 0.753,
    "gain": -0.097,
    "low": -0.11,
    "high": -0.084,
    "rows": 1000,
}


def test_only_a_gain_that_is_wholly_below_zero_is_a_warning():
    (text,) = warnings_of({"gains": {"probe": WORSE}}, "linear probe")
    assert text == (
        "the served model is worse than this run's linear probe, beyond chance: accuracy 0.8500 -> 0.7530 on 1000 "
        "test rows (gain -0.0970, 95 % between -0.1100 and -0.0840)"
    )
    assert warnings_of({"gains": {"probe": {**WORSE, "high": 0.0}}}, "linear probe") == ()
    assert warnings_of({"gains": {}}, "linear probe") == ()


def test_terminal_report_and_card_warn_and_the_gate_decides_as_configured(table_project):
    pytest.importorskip("dbos")
    pytest.importorskip("torch")
    from tuneloop.cli.run import run
    from tuneloop.pipeline import list_runs

    file = table_project / "tuneloop.yaml"
    # So slow that it has learned nothing when it ends.
    slow = file.read_text().replace("learning_rate: 1.0e-2", "learning_rate: 1.0e-9")
    file.write_text(slow.replace("macro_f1: 0.7", "macro_f1: 0.01"))
    found = CliRunner().invoke(run, ["--project", str(table_project)])
    assert found.exit_code == 0, found.output
    said = "warning: the served model is worse than this run's linear probe, beyond chance: macro_f1"
    assert ": passed in" in found.output
    assert said in found.output
    (record,) = list_runs(file.parent / ".tuneloop")
    folder = file.parent / ".tuneloop" / "runs" / record.request.run
    report = (folder / "report.html").read_text()
    assert "with warnings</span>" in report
    assert "Warning: the served model is worse" in report
    assert "Warning: the served model is worse" in (folder / "card.md").read_text()
