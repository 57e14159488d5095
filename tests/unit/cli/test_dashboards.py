from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

BOARDS = ("overview", "model", "drift", "accuracy", "challenger", "loop", "serving", "generation")
FILES = {
    *(f"dashboards/{name}.json" for name in BOARDS),
    "provisioning/dashboards/tuneloop.yaml",
    "provisioning/datasources/tuneloop.yaml",
    "rules.yml",
}


@pytest.fixture
def project(tuneloop: Callable[..., Any], tmp_path: Path) -> Path:
    done = tuneloop("init", "desk", "--task", "text-classification")
    assert done.returncode == 0, done.stderr
    return tmp_path / "desk"


def written(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_the_files_are_written_and_written_again(tuneloop: Callable[..., Any], project: Path) -> None:
    for _ in range(2):
        done = tuneloop("dashboards", "--project", "desk", "--prometheus", "http://prometheus:9090")
        assert done.returncode == 0, done.stderr
        assert written(project / "grafana") == FILES
    assert f"GF_PATHS_PROVISIONING={project}/grafana/provisioning" in done.stdout
    assert f"{project}/grafana/rules.yml" in done.stdout
    assert "http://127.0.0.1:3000/metrics" in done.stdout
    assert "http://127.0.0.1:3001/metrics" in done.stdout
    assert all(name in done.stdout for name in FILES)
    drift = json.loads((project / "grafana/dashboards/drift.json").read_text())
    assert drift["uid"] == "tuneloop-drift"
    [model] = [one for one in drift["templating"]["list"] if one["name"] == "model"]
    assert model["current"]["value"] == "desk"
    assert [link["title"] for link in drift["links"]] == ["Tuneloop"]
    source = (project / "grafana/provisioning/datasources/tuneloop.yaml").read_text()
    assert "url: http://prometheus:9090" in source
    provider = (project / "grafana/provisioning/dashboards/tuneloop.yaml").read_text()
    assert f"path: {project}/grafana/dashboards" in provider


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not on the PATH")
def test_promtool_takes_the_rules(tuneloop: Callable[..., Any], project: Path, tmp_path: Path) -> None:
    assert tuneloop("dashboards", "-p", "desk", "-o", "out").returncode == 0
    assert written(tmp_path / "out") == FILES
    subprocess.run(["promtool", "check", "rules", str(tmp_path / "out/rules.yml")], check=True, capture_output=True)


def test_a_folder_that_is_a_file_is_refused(tuneloop: Callable[..., Any], project: Path, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("mine")
    done = tuneloop("dashboards", "--project", "desk", "--output", "taken")
    assert done.returncode == 2
    assert f"error: {tmp_path}/taken/dashboards/overview.json cannot be written" in done.stderr
    assert "--output FOLDER" in done.stderr
    assert (tmp_path / "taken").read_text() == "mine"


def test_an_address_that_is_none_is_refused(tuneloop: Callable[..., Any], project: Path) -> None:
    done = tuneloop("dashboards", "--project", "desk", "--prometheus", "prometheus:9090")
    assert done.returncode == 2
    assert "'prometheus:9090' is no address" in done.stderr
    assert not (project / "grafana").exists()


def test_what_the_project_links_to(tuneloop: Callable[..., Any], project: Path) -> None:
    file = project / "tuneloop.yaml"
    text = re.sub(r"(?ms)^monitor:.*?(?=^\S|\Z)", "", file.read_text())
    links = "{grafana: 'http://grafana:3100/', mlflow: 'http://mlflow:5000', runbook: 'http://wiki/drift'}"
    file.write_text(f"{text}\nmonitor: {{window: 30m, links: {links}}}\n")
    done = tuneloop("dashboards", "--project", "desk")
    assert done.returncode == 0, done.stderr
    rules = (project / "grafana/rules.yml").read_text()
    assert "dashboard_url: http://grafana:3100/d/tuneloop-drift?var-model={{ $labels.model | urlquery }}&" in rules
    assert "runbook_url: http://wiki/drift" in rules
    drift = json.loads((project / "grafana/dashboards/drift.json").read_text())
    assert [link["url"] for link in drift["links"] if link["title"] == "Versions and reports"] == [
        "http://mlflow:5000/#/models/${model}"
    ]
    assert tuneloop("dashboards", "-p", "desk", "--mlflow", "http://other").returncode == 0
    assert '"http://other/#/models/${model}"' in (project / "grafana/dashboards/drift.json").read_text()


def test_for_any_project(tuneloop: Callable[..., Any], tmp_path: Path) -> None:
    done = tuneloop("dashboards", "--any-project", "--output", "out", "--mounted", "/etc/set")
    assert done.returncode == 0, done.stderr
    assert written(tmp_path / "out") == FILES - {"rules.yml"}
    assert "GF_PATHS_PROVISIONING=/etc/set/provisioning" in done.stdout
    provider = (tmp_path / "out/provisioning/dashboards/tuneloop.yaml").read_text()
    assert "path: /etc/set/dashboards" in provider
    done = tuneloop("dashboards", "--any-project")
    assert done.returncode == 2
    assert "--output FOLDER" in done.stderr


def test_outside_a_project(tuneloop: Callable[..., Any]) -> None:
    done = tuneloop("dashboards")
    assert done.returncode == 2
    assert "there is no tuneloop.yaml" in done.stderr
