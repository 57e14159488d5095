"""What another machine finds of a training is what a kill at some moment would have left."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tuneloop.api import StorageError
from tuneloop.storage import fetch_checkpoints, fetch_folder, shared_checkpoints

_DEADLINE = 240.0


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _DEADLINE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def save(folder: Path, step: int, size: int = 20_000) -> None:
    """As the training loop does: the state comes last when a checkpoint is written, and goes first when it goes."""
    target = folder / f"checkpoint-{step}"
    target.mkdir()
    with (target / "weights").open("wb") as stream:
        for _ in range(20):
            stream.write(bytes([step % 251]) * (size // 20))
            stream.flush()
    (target / "state").write_text(str(step))
    old = folder / f"checkpoint-{step - 2}"
    if old.is_dir():
        (old / "state").unlink()
        (old / "weights").unlink()
        old.rmdir()


def whole(folder: Path) -> list[int]:
    found = [int(path.parent.name.partition("-")[2]) for path in folder.glob("checkpoint-*/state")]
    for step in found:
        assert (folder / f"checkpoint-{step}" / "weights").read_bytes() == bytes([step % 251]) * 20_000
    return sorted(found)


def test_another_machine_begins_with_the_newest_whole_checkpoint(place: str, tmp_path: Path) -> None:
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    with shared_checkpoints(ours, place, 0.01):
        assert whole(ours) == []
        save(ours, 1)
        save(ours, 2)
        until(lambda: fetch_folder(place, tmp_path / "look") and 2 in whole(tmp_path / "look"))
    with shared_checkpoints(theirs, place, 0.01):
        assert whole(theirs) == [1, 2]
        save(theirs, 3)
        until(lambda: fetch_folder(place, tmp_path / "later") and 3 in whole(tmp_path / "later"))
    # What lies here already is never overwritten.
    assert not fetch_checkpoints(ours, place)
    assert whole(ours) == [1, 2]


def test_no_moment_shows_a_checkpoint_that_is_not_whole(tmp_path: Path) -> None:
    ours, place = tmp_path / "ours", str(tmp_path / "kept")
    ended, seen = threading.Event(), []

    def reader() -> None:
        number = 0
        while not ended.is_set():
            number += 1
            if fetch_folder(place, tmp_path / f"look-{number}"):
                seen.append(whole(tmp_path / f"look-{number}"))

    thread = threading.Thread(target=reader)
    with shared_checkpoints(ours, place, 0.001):
        thread.start()
        try:
            for step in range(1, 60):
                save(ours, step)
            until(lambda: bool(seen) and seen[-1] == [58, 59])
        finally:
            ended.set()
            thread.join()
    assert len({tuple(steps) for steps in seen}) > 1


def test_without_a_place_nothing_happens(tmp_path: Path) -> None:
    with shared_checkpoints(tmp_path / "c", None):
        assert not (tmp_path / "c").exists()


def test_a_store_that_refuses_is_warned_of_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    ours, mount, place = tmp_path / "ours", tmp_path / "mount", str(tmp_path / "mount" / "kept")
    with caplog.at_level(logging.WARNING), shared_checkpoints(ours, place, 0.01):
        # A file where the folder should be: so even root is refused.
        mount.write_text("")
        save(ours, 1)
        until(lambda: bool(caplog.records))
        save(ours, 2)
        until(lambda: not (tmp_path / ".ours-sent").exists())
        assert [record.levelname for record in caplog.records] == ["WARNING"]
        assert f"the checkpoints at {place} cannot be stored: Not a directory" in caplog.text
        assert "training goes on" in caplog.text
        mount.unlink()
        until(lambda: fetch_folder(place, tmp_path / "look") and 2 in whole(tmp_path / "look"))


def test_a_store_that_cannot_be_read_stops_before_the_training(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "whole.json").write_text("something else")
    with (
        pytest.raises(StorageError, match="is no list of files"),
        shared_checkpoints(tmp_path / "c", str(tmp_path / "kept")),
    ):
        pass
