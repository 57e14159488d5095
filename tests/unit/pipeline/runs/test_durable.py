import json
import os
import sqlite3
import subprocess
import sys
import textwrap

import pytest

from tuneloop.api import RunError
from tuneloop.pipeline.runs.durable import database_url, launched

SCRIPT = textwrap.dedent("""
    import functools, os, sys
    from pathlib import Path
    from tuneloop.pipeline.runs.durable import launched

    @functools.cache
    def workflow():
        from dbos import DBOS

        @DBOS.step()
        def step(number):
            print("step", number, flush=True)
            if number == 2 and sys.argv[3] == "kill":
                os.kill(os.getpid(), 9)
            return {"number": number}

        @DBOS.workflow(name="count")
        def count():
            return [step(number)["number"] for number in range(4)]

        return count

    from dbos import DBOS, SetWorkflowID
    with launched(Path(sys.argv[1]), sys.argv[2], workflow):
        if DBOS.get_workflow_status(sys.argv[2]) is None:
            with SetWorkflowID(sys.argv[2]):
                handle = DBOS.start_workflow(workflow())
        else:
            handle = DBOS.retrieve_workflow(sys.argv[2])
        print(handle.get_result(), flush=True)
""")


def call(state, run, kill="no"):
    return subprocess.run(
        [sys.executable, "-c", SCRIPT, str(state), run, kill], capture_output=True, text=True, timeout=900
    )


def test_a_killed_workflow_goes_on_after_its_last_finished_step(tmp_path):
    assert call(tmp_path, "a", "kill").returncode == -9
    other = call(tmp_path, "b")
    assert other.stdout.endswith("[0, 1, 2, 3]\n")
    again = call(tmp_path, "a")
    assert again.stdout == "step 2\nstep 3\n[0, 1, 2, 3]\n"
    assert again.stderr == ""


def test_workflows_of_two_folders_share_a_postgresql(tmp_path, postgres, monkeypatch):
    monkeypatch.setenv("TUNELOOP_DATABASE_URL", postgres)
    assert call(tmp_path / "one", "a", "kill").returncode == -9
    other = call(tmp_path / "two", "b")
    assert other.stdout.endswith("[0, 1, 2, 3]\n"), other.stderr
    again = call(tmp_path / "three", "a")
    assert again.stdout == "step 2\nstep 3\n[0, 1, 2, 3]\n"
    assert not list(tmp_path.glob("*/*.db"))


def test_what_is_stored_is_json(tmp_path):
    call(tmp_path, "a")
    with sqlite3.connect(tmp_path / "runs.db") as database:
        rows = database.execute("select output, serialization from operation_outputs").fetchall()
    assert [json.loads(output)["number"] for output, _ in rows] == [0, 1, 2, 3]
    assert {kind for _, kind in rows} == {"tuneloop_json"}


class Boom:
    def __reduce__(self):
        return os.abort, ()


def test_pickled_rows_are_never_read(tmp_path):
    import base64
    import pickle

    call(tmp_path, "a")
    bomb = base64.b64encode(pickle.dumps(Boom())).decode()
    with sqlite3.connect(tmp_path / "runs.db") as database:
        database.execute("update workflow_status set output = ?, serialization = 'py_pickle'", [bomb])
        database.execute("update operation_outputs set output = ?, serialization = 'py_pickle'", [bomb])
        tables = {name for (name,) in database.execute("select name from sqlite_master where type = 'table'")}
        if "workflow_output" in tables:
            database.execute("update workflow_output set output = ?", [bomb])
    again = call(tmp_path, "a")
    assert again.returncode == 1, again
    assert "holds pickled data" in again.stderr


def test_a_database_that_cannot_be_used_is_named_without_its_password(tmp_path, monkeypatch):
    monkeypatch.setenv("TUNELOOP_DATABASE_URL", f"sqlite:///{tmp_path}/absent/folder/x.db")
    with pytest.raises(RunError, match="absent/folder"), launched(tmp_path, "a", lambda: None):
        pass


def test_the_database_lies_in_the_project_unless_named(tmp_path, monkeypatch):
    monkeypatch.delenv("TUNELOOP_DATABASE_URL", raising=False)
    assert database_url(tmp_path) == f"sqlite:///{tmp_path}/runs.db"
    monkeypatch.setenv("TUNELOOP_DATABASE_URL", "postgresql://host/db")
    assert database_url(tmp_path) == "postgresql://host/db"
