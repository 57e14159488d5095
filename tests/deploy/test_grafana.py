"""`deploy/grafana` is what the generator writes."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner
from tests.deploy.composition import DEPLOY

from tuneloop.cli.dashboards import dashboards

ARGUMENTS = (
    "--any-project --kubernetes --mounted /etc/tuneloop/grafana "
    "--prometheus http://prometheus:9090 --mlflow http://127.0.0.1:5000"
)
"""With `--output deploy/grafana` this writes the folder anew."""


def test_the_folder_is_up_to_date(tmp_path: Path) -> None:
    done = CliRunner().invoke(
        dashboards, [*ARGUMENTS.split(), "--output", f"{tmp_path}/grafana"], catch_exceptions=False
    )
    assert done.exit_code == 0
    assert texts(tmp_path / "grafana") == texts(DEPLOY / "grafana"), (
        f"run: tuneloop dashboards --output deploy/grafana {ARGUMENTS}"
    )


def texts(folder: Path) -> dict[str, str]:
    return {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()}
