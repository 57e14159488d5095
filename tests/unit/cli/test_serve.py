from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Done = subprocess.CompletedProcess[str]


@pytest.mark.parametrize("command", ["build", "serve"])
def test_without_a_project_one_message_says_so(tmp_path: Path, command: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tuneloop.cli.main", command], cwd=tmp_path, capture_output=True, text=True, timeout=900
    )
    assert done.returncode == 2
    assert "there is no tuneloop.yaml" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", ["build", "serve"])
def test_help_needs_no_project(tmp_path: Path, command: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tuneloop.cli.main", command, "--help"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=900,
        check=True,
    )
    assert "--project" in done.stdout


PROJECT = """\
name: desk
task: tabular-classification
data: {source: csv, path: people.csv, columns: {label: income}}
model: {base: tabular-mlp}
tune: {strategy: full}
"""


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    """A project without a version."""
    (tmp_path / "people.csv").write_text("age,income\n1,low\n2,high\n")
    (tmp_path / "tuneloop.yaml").write_text(PROJECT)
    return tmp_path


def write(path: Path, content: str, mode: int = 0o600) -> Path:
    path.write_text(content)
    path.chmod(mode)
    return path


def test_beyond_this_machine_it_starts_only_with_tokens_or_insecure(desk: Path, tuneloop: Callable[..., Done]) -> None:
    done = tuneloop("serve", "--host", "0.0.0.0")
    assert done.returncode == 2
    assert "would listen on 0.0.0.0 and answer anybody" in done.stderr
    assert "--insecure" in done.stderr
    assert "Traceback" not in done.stderr
    tokens = write(desk / "tokens", "a-token-0123456789\n")
    # What is wrong next is that there is nothing to serve.
    for arguments, variables in (
        (["--insecure"], {}),
        (["--predict-tokens", "tokens"], {}),
        ([], {"TUNELOOP_INSECURE": "1"}),
        ([], {"TUNELOOP_PREDICT_TOKEN_FILE": str(tokens)}),
    ):
        done = tuneloop("serve", "--host", "0.0.0.0", *arguments, **variables)
        assert done.returncode == 2
        assert "has no version 'champion'" in done.stderr


def test_the_project_may_name_the_address(desk: Path, tuneloop: Callable[..., Done]) -> None:
    (desk / "tuneloop.yaml").write_text(PROJECT + "serve: {host: 0.0.0.0, device: gpu}\n")
    done = tuneloop("serve")
    assert done.returncode == 2
    assert "would listen on 0.0.0.0" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["serve", "--predict-tokens", "absent"], "absent cannot be read"),
        (["serve", "--admin-tokens", "open"], "is open to everybody: chmod o="),
        (["serve", "--feedback-tokens", "short"], "line 1: the token has 5 characters"),
        (["serve", "--verify", "short"], "must hold Ed25519 public keys"),
        (["build", "--sign", "open"], "is open to others: chmod 600"),
        (["build", "--sign", "short"], "holds no private key in PEM"),
    ],
)
def test_files_that_cannot_be_used_are_one_message(
    desk: Path, tuneloop: Callable[..., Done], arguments: list[str], said: str
) -> None:
    write(desk / "open", "a-token-0123456789\n", 0o644)
    write(desk / "short", "short\n")
    done = tuneloop(*arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert "a-token" not in done.stderr
