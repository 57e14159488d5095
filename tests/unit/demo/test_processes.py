"""The demo's commands: what they print is passed on, and an end that was not wanted says why."""

from __future__ import annotations

from pathlib import Path

import pytest

from tuneloop.api import ServingError
from tuneloop.demo.processes import Command, answers, command_environment, fetch


def test_a_command_that_ends_well_passes_on_what_it_prints(tmp_path: Path) -> None:
    said: list[str] = []
    command = Command(["schema", "--help"], tmp_path, tmp_path / "log")
    command.finish(said.append, timeout=60)
    assert any("JSON schema" in line for line in [*said, *command.lines(), command.tail()])


def test_a_command_that_fails_quotes_its_log(tmp_path: Path) -> None:
    command = Command(["run"], tmp_path, tmp_path / "log")
    with pytest.raises(ServingError, match=r"`tuneloop run` ended with status 2; .*\n.*no tuneloop\.yaml"):
        command.finish(lambda _: None, timeout=60)


def test_waiting_ends_when_the_command_does(tmp_path: Path) -> None:
    command = Command(["run"], tmp_path, tmp_path / "log")
    with pytest.raises(ServingError, match="ended with status 2 before the server was ready"):
        command.until("the server was ready", lambda: None, timeout=60)


def test_an_address_where_nothing_is_gives_nothing() -> None:
    assert answers("http://127.0.0.1:9/") is None
    assert fetch("http://127.0.0.1:9/") is None


def test_tokens_and_keys_of_other_servers_stay_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TUNELOOP_PREDICT_TOKEN_FILE", "TUNELOOP_ADMIN_TOKEN_FILE", "TUNELOOP_VERIFY_KEY_FILE"):
        monkeypatch.setenv(name, "nowhere")
    monkeypatch.setenv("TUNELOOP_THREADS", "1")
    found = command_environment(tmp_path)
    assert not [name for name, value in found.items() if value == "nowhere"]
    assert (found["TUNELOOP_THREADS"], found["TUNELOOP_PROJECT"]) == ("1", str(tmp_path))
