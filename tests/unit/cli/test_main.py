"""The group: quick help, one message an error, exit codes."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest

from tuneloop.api import TuneloopError
from tuneloop.cli import main as entry
from tuneloop.cli.main import COMMANDS, LazyGroup

HEAVY = ("torch", "transformers", "mlflow", "bentoml", "dbos", "datasets", "onnxruntime", "numpy", "pydantic", "rich")


def test_help_imports_no_command_and_no_library(tuneloop: Callable[..., Any]) -> None:
    code = f"""
import sys
from tuneloop.cli.main import main
try:
    main(["--help"])
except SystemExit:
    pass
loaded = set(sys.modules) - {{"tuneloop.cli.main"}}
found = sorted(m for m in loaded if m.split(".")[0] in {HEAVY!r} or m.startswith("tuneloop.cli."))
sys.exit(str(found) if found else 0)
"""
    root = Path(__file__).parents[3]
    env = {**os.environ, "PYTHONPATH": f"{root / 'platform'}{os.pathsep}{root / 'plugins'}"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env, check=False)
    assert done.returncode == 0, done.stderr
    for name, (_, summary) in COMMANDS.items():
        assert f"  {name} " in done.stdout
        assert summary in done.stdout


def test_help_is_quick(tuneloop: Callable[..., Any]) -> None:
    def once() -> float:
        began = time.perf_counter()
        assert tuneloop("--help").returncode == 0
        return time.perf_counter() - began

    assert min(once() for _ in range(5)) < 0.4


def test_an_unknown_command(tuneloop: Callable[..., Any]) -> None:
    done = tuneloop("plugin")
    assert done.returncode == 2
    assert "There is no command 'plugin'. Did you mean 'plugins'?" in done.stderr
    assert tuneloop("schema", "--nonsense").returncode == 2


def test_a_plugin_adds_a_command(tuneloop: Callable[..., Any], stranger: Callable[[str], Path]) -> None:
    stranger(
        """
import click

@hookimpl
def tuneloop_cli(group):
    @group.command()
    def greet():
        click.echo("hello")

    @group.command()
    def doctor():
        click.echo("not the real one")
"""
    )
    done = tuneloop("greet")
    assert (done.returncode, done.stdout) == (0, "hello\n"), done.stderr
    assert "plugin 'stranger' of stranger 1.0 adds a command 'doctor', which Tuneloop has already" in done.stderr
    assert "not the real one" not in tuneloop("doctor").stdout
    assert "stranger" in tuneloop("plugins", "show", "tuneloop_cli").stdout


def test_a_plugin_whose_command_hook_fails(tuneloop: Callable[..., Any], stranger: Callable[[str], Path]) -> None:
    stranger("@hookimpl\ndef tuneloop_cli(group):\n    raise ValueError('broken')\n")
    done = tuneloop("greet")
    assert done.returncode == 2
    assert "plugin 'stranger' of stranger 1.0: tuneloop_cli raised ValueError: broken" in done.stderr
    assert "There is no command 'greet'" in done.stderr
    assert "Traceback" not in done.stderr


def run_with(error: BaseException | None, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    """The exit code of a command that raises `error`."""

    @click.command()
    def boom() -> None:
        if error is not None:
            raise error

    monkeypatch.setattr(LazyGroup, "get_command", lambda self, ctx, name: boom)
    with pytest.raises(SystemExit) as left:
        entry.main([*arguments, "boom"])
    return int(left.value.code or 0)


def test_exit_codes(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_with(None, monkeypatch) == 0
    assert run_with(TuneloopError("say what, where, how"), monkeypatch) == 2
    assert capsys.readouterr().err == "error: say what, where, how\n"
    assert run_with(RuntimeError("odd"), monkeypatch) == 1
    said = capsys.readouterr().err
    assert "error: RuntimeError: odd" in said
    assert "tuneloop --debug boom" in said
    assert "Traceback" not in said
    assert run_with(KeyboardInterrupt(), monkeypatch) == 130
    assert run_with(click.ClickException("given"), monkeypatch) == 2


def test_notes_of_an_error_are_printed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    error = TuneloopError("it is full")
    error.add_note("go on by: tuneloop run --resume")
    assert run_with(error, monkeypatch) == 2
    assert capsys.readouterr().err == "error: it is full\ngo on by: tuneloop run --resume\n"


def test_debug_shows_the_traceback(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_with(RuntimeError("odd"), monkeypatch, "--debug") == 1
    assert "Traceback" in capsys.readouterr().err
    assert run_with(TuneloopError("known"), monkeypatch, "--debug") == 2
    said = capsys.readouterr().err
    assert "Traceback" in said
    assert "error: known" in said


def test_outside_a_project(tuneloop: Callable[..., Any], tmp_path: Path) -> None:
    done = tuneloop("doctor", "--project", "absent")
    assert done.returncode == 2
    assert "there is no tuneloop.yaml in absent. Write one with `tuneloop init`" in done.stderr
