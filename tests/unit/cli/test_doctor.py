"""`tuneloop doctor`, `plugins` and `schema` on the terminal."""

from __future__ import annotations

import importlib.metadata
import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tuneloop.cli import installation
from tuneloop.cli.installation import check_runtime, check_torch, port_is_free, torch_flavour


def fake_versions(monkeypatch: pytest.MonkeyPatch, versions: dict[str, str]) -> None:
    monkeypatch.setattr(installation, "installed_version", versions.get)


def test_exactly_one_onnxruntime(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_versions(monkeypatch, {"onnxruntime": "1.31.1"})
    assert check_runtime().level == "ok"
    fake_versions(monkeypatch, {"onnxruntime": "1.31.1", "onnxruntime-gpu": "1.31.1"})
    both = check_runtime()
    assert both.level == "problem"
    assert "pip uninstall -y onnxruntime onnxruntime-gpu" in both.advice
    fake_versions(monkeypatch, {})
    assert check_runtime().level == "problem"


@pytest.mark.parametrize(
    ("version", "flavour"),
    [("2.13.0+cpu", "CPU"), ("2.13.0+cu126", "CUDA 12.6"), ("2.13.0+rocm6.4", "rocm6.4")],
)
def test_torch_flavours(version: str, flavour: str) -> None:
    assert torch_flavour(version) == flavour


def test_a_foreign_torchvision(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_versions(monkeypatch, {"torch": "2.13.0+cpu", "torchvision": "0.28.0"})
    assert [finding.level for finding in check_torch()] == ["ok", "problem"]


def test_a_wrong_version_is_a_problem_and_an_absent_extra_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    needs = ["click>=8.2", "bentoml==1.4.39; extra == 'serve'", "httpx>=0.28; extra == 'loop'"]
    monkeypatch.setattr(importlib.metadata, "requires", lambda name: needs)
    fake_versions(monkeypatch, {"click": "8.3", "bentoml": "1.4.40"})
    found = {finding.subject: finding for finding in installation.check_extras()}
    assert found["tuneloop itself"].level == "ok"
    assert found["extra serve"].level == "problem"
    assert "pip install 'bentoml==1.4.39'" in found["extra serve"].advice
    assert (found["extra loop"].level, found["extra loop"].advice) == ("info", "pip install 'tuneloop[loop]'")


def test_ports() -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        assert not port_is_free("127.0.0.1", server.getsockname()[1])
        port = server.getsockname()[1]
    assert port_is_free("127.0.0.1", port)
    assert not port_is_free("no.such.host.invalid", 3000)


def test_doctor_imports_nothing_heavy(tuneloop: Callable[..., Any]) -> None:
    done = tuneloop("doctor", "--json", PYTHONPROFILEIMPORTTIME="1")
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if "|" in line}
    assert not imported & {"torch", "transformers", "mlflow", "bentoml", "dbos", "datasets", "onnxruntime"}
    findings = {finding["subject"]: finding for finding in json.loads(done.stdout)}
    assert findings["python"]["level"] == "ok"
    assert findings["onnx runtime"]["found"].startswith("onnxruntime")


def test_doctor_tells_of_a_broken_plugin_and_a_broken_project(
    tuneloop: Callable[..., Any], stranger: Callable[[str], Path], tmp_path: Path
) -> None:
    stranger("import no_such_library\n")
    (tmp_path / "tuneloop.yaml").write_text("nam: desk")
    done = tuneloop("doctor")
    assert done.returncode == 1
    assert "needs the Python module 'no_such_library'" in done.stdout
    assert "tuneloop.yaml:1: nam: unknown key. Did you mean 'name'?" in done.stdout
    plugins = tuneloop("plugins", "doctor", "--traceback")
    assert plugins.returncode == 1
    assert "ModuleNotFoundError: No module named 'no_such_library'" in plugins.stdout


def test_plugins_show(tuneloop: Callable[..., Any]) -> None:
    task = tuneloop("plugins", "show", "text-classification")
    assert task.returncode == 0, task.stderr
    assert "task text-classification" in task.stdout
    assert "It has no options." in task.stdout
    hook = tuneloop("plugins", "show", "tuneloop_tasks").stdout
    assert "Implemented by:" in hook
    assert "plugin 'core-tasks' of tuneloop" in hook
    unknown = tuneloop("plugins", "show", "tuneloop_task")
    assert unknown.returncode == 2
    assert "Did you mean 'tuneloop_tasks'?" in unknown.stderr


def test_schema(tuneloop: Callable[..., Any]) -> None:
    done = tuneloop("schema")
    assert done.returncode == 0
    assert "text-classification" in json.loads(done.stdout)["properties"]["task"]["enum"]


def test_the_launcher_of_the_project_is_asked_whether_it_could_start() -> None:
    from tuneloop.config import Launch
    from tuneloop.plugins import default_manager

    plugins = default_manager()

    def asked(name: str, **options: Any) -> installation.Finding:
        cls = plugins.get("launcher", name)
        return installation.check_launcher(Launch(name, cls.Options(**options)), plugins)

    assert asked("local").level == "ok"
    found = asked("torchrun", processes=2, backend="gloo")
    assert (found.level, found.found) == ("ok", "2 processes on this machine, gloo")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
        pytest.importorskip("ray")
        absent = asked("ray", address=address)
    assert (absent.level, absent.subject) == ("problem", "launcher ray")
    assert f"no Ray cluster answers at {address!r}" in absent.advice
