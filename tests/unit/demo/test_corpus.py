"""The demo's data: real, distinct, divided without overlap, and the weights it was written for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tuneloop.api import DataError, TuneloopError
from tuneloop.demo import corpus
from tuneloop.demo.project import divide, free_folder, write_project

MESSAGES = corpus.read_messages()


def test_every_language_has_messages_and_no_text_is_in_two() -> None:
    assert {language: len(messages) >= 250 for language, messages in MESSAGES.items()} == dict.fromkeys(
        (*corpus.KNOWN, *corpus.NEW), True
    )
    texts = [message.message.casefold() for messages in MESSAGES.values() for message in messages]
    assert len(set(texts)) == len(texts)
    assert all(len(text.split()) > 1 for text in texts)


def test_parts_do_not_overlap_and_hold_everything() -> None:
    start, data = divide(MESSAGES)
    parts = [*start, *data.usual, *data.arriving, *data.probe_known, *data.probe_new]
    assert len({message.id for message in parts}) == len(parts) == sum(map(len, MESSAGES.values()))
    assert {message.language for message in (*start, *data.usual, *data.probe_known)} == set(corpus.KNOWN)
    assert {message.language for message in (*data.arriving, *data.probe_new)} == set(corpus.NEW)


def test_the_project_is_written_twice_alike_and_never_over_another(tmp_path: Path) -> None:
    first = write_project(tmp_path, serve_port=3000, loop_port=3001)
    lines = (tmp_path / "data" / "messages.jsonl").read_text().splitlines()
    assert {json.loads(line)["language"] for line in lines} == set(corpus.KNOWN)
    assert (tmp_path / "models" / "minilm" / "model.safetensors").stat().st_size > 80_000_000
    assert write_project(tmp_path, serve_port=3000, loop_port=3001) == first
    (tmp_path / "tuneloop.yaml").write_text("name: mine\n")
    with pytest.raises(TuneloopError, match="another project"):
        write_project(tmp_path, serve_port=3000, loop_port=3001)


def test_a_second_demo_gets_a_folder_of_its_own(tmp_path: Path) -> None:
    wanted = tmp_path / "desk"
    assert free_folder(wanted) == wanted
    (wanted / ".tuneloop").mkdir(parents=True)
    (tmp_path / "desk-2" / ".tuneloop").mkdir(parents=True)
    assert free_folder(wanted) == tmp_path / "desk-3"


def test_other_weights_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(corpus, "WEIGHTS_SHA256", "0" * 64)
    with pytest.raises(DataError, match="is not all-MiniLM-L6-v2"):
        corpus.weights()
