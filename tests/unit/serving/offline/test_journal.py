from __future__ import annotations

from pathlib import Path

import pytest

from tuneloop.api import DataError
from tuneloop.serving.offline.journal import Counts, open_journal, unfinished

JOB = {"model": "a", "inputs": [["in.csv", 3]]}


def test_finished_parts_are_there_again(tmp_path: Path) -> None:
    folder = tmp_path / "work"
    with open_journal(folder, JOB, "skip", restart=False) as journal:
        journal.add(b"one", b"", Counts(5, 5, 0))
        journal.add(b"two", b"bad", Counts(5, 4, 1))
    # What an attempt that was killed leaves behind: rows without counts, and half a file.
    (folder / "000002.part").write_bytes(b"thr")
    (folder / ".000003.part.abc_12").write_bytes(b"")
    assert unfinished(folder)
    with open_journal(folder, JOB, "skip", restart=False) as journal:
        assert journal.counts == Counts(10, 9, 1)
        assert [path.read_bytes() for path in journal.parts()] == [b"one", b"two"]
        assert [path.read_bytes() for path in journal.rejects()] == [b"bad"]
        journal.add(b"three", b"", Counts(1, 1, 0))
        assert journal.parts()[2].read_bytes() == b"three"
        journal.remove()
    assert not folder.exists()


def test_another_job_may_not_go_on(tmp_path: Path) -> None:
    with open_journal(tmp_path, JOB, "skip", restart=False) as journal:
        journal.add(b"one", b"", Counts(1, 1, 0))
    with (
        pytest.raises(DataError, match=r"not as they were: inputs\. .*--restart"),
        open_journal(tmp_path, {**JOB, "inputs": [["in.csv", 4]]}, "skip", restart=False),
    ):
        pass
    with pytest.raises(DataError, match="on error"), open_journal(tmp_path, JOB, "null", restart=False):
        pass
    with open_journal(tmp_path, {**JOB, "model": "b"}, "skip", restart=True) as journal:
        assert journal.counts == Counts()


def test_a_job_that_stopped_may_go_on_under_another_rule(tmp_path: Path) -> None:
    with open_journal(tmp_path, JOB, "stop", restart=False) as journal:
        journal.add(b"one", b"", Counts(1, 1, 0))
    with open_journal(tmp_path, JOB, "skip", restart=False) as journal:
        assert journal.counts.read == 1
    with pytest.raises(DataError, match="on error"), open_journal(tmp_path, JOB, "stop", restart=False):
        pass


def test_one_process_at_a_time(tmp_path: Path) -> None:
    with (
        open_journal(tmp_path, JOB, "stop", restart=False),
        pytest.raises(DataError, match="another process is at work"),
        open_journal(tmp_path, JOB, "stop", restart=False),
    ):
        pass


def test_files_of_others_in_the_folder_stay(tmp_path: Path) -> None:
    (tmp_path / "notes.json").write_text("mine")
    with open_journal(tmp_path, JOB, "stop", restart=True) as journal:
        journal.add(b"one", b"", Counts(1, 1, 0))
        journal.remove()
    assert [path.name for path in tmp_path.iterdir()] == ["notes.json"]
