"""Several processes that do calls: each is kept for the next, and one that dies is told."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from tuneloop.pipeline.searching.processes import run_many

DEADLINE = 240.0


def echo(argument, report):
    """Called in the worker: by the name of this module."""
    sys.stdout.write("libraries print\n")
    sys.stdout.flush()
    if argument.get("die"):
        os.kill(os.getpid(), signal.SIGKILL)
    if argument.get("fail"):
        raise ValueError("no such option")
    return {"pid": os.getpid(), "n": argument["n"]}


def called(tmp_path, arguments, parallel, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]))
    return list(run_many("test_processes:echo", arguments, parallel, tmp_path / "log"))


def test_answers_come_back_and_processes_are_kept(tmp_path, monkeypatch):
    found = called(tmp_path, [{"n": n} for n in range(6)], 2, monkeypatch)
    assert sorted(one.answer["n"] for one in found) == list(range(6))
    assert all(one.position == one.answer["n"] for one in found)
    assert len({one.answer["pid"] for one in found}) <= 2
    assert "libraries print" in (tmp_path / "log").read_text()


def test_a_death_and_an_error_are_told_and_the_rest_goes_on(tmp_path, monkeypatch):
    arguments = [{"n": 0}, {"n": 1, "die": True}, {"n": 2, "fail": True}, {"n": 3}]
    found = {one.position: one for one in called(tmp_path, arguments, 1, monkeypatch)}
    assert "was ended by SIGKILL" in found[1].error
    assert found[2].error == "no such option"
    assert found[3].answer["n"] == 3
    assert found[0].error is None


def test_an_argument_is_asked_for_only_when_a_process_is_free(tmp_path, monkeypatch):
    asked, ended = [], []

    def arguments():
        for n in range(4):
            asked.append(len(ended))
            yield {"n": n}

    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    for outcome in run_many("test_processes:echo", arguments(), 2, tmp_path / "log"):
        ended += [outcome]
    assert asked == [0, 0, 1, 2]


def test_workers_end_with_the_process_that_started_them(tmp_path):
    code = (
        "import sys, time; from pathlib import Path; from tuneloop.pipeline.searching.processes import _Crew; "
        "crew = _Crew(1, Path(sys.argv[1])); worker = crew._start(); print(worker.pid, flush=True); time.sleep(600)"
    )
    parent = subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "log")], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    worker = int(parent.stdout.readline())
    parent.kill()
    parent.communicate()
    deadline = time.monotonic() + DEADLINE
    while Path(f"/proc/{worker}").exists() and time.monotonic() < deadline:
        if Path(f"/proc/{worker}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
            break
        time.sleep(0.05)
    else:
        assert not Path(f"/proc/{worker}").exists()
