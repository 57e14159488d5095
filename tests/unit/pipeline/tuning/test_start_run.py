"""A run as part of another durable workflow, as the loop starts it."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import time

import pytest

from tuneloop.pipeline.runs.records import list_runs

pytest.importorskip("dbos")
pytest.importorskip("torch")

LOOP = textwrap.dedent("""
    import functools, sys
    from pathlib import Path
    from tuneloop.config import load_project
    from tuneloop.pipeline import register_workflows, start_run
    from tuneloop.pipeline.runs.durable import launched
    from tuneloop.plugins import default_manager

    plugins = default_manager()
    project = load_project(Path(sys.argv[1]), plugins)

    @functools.cache
    def retrain():
        from dbos import DBOS

        @DBOS.workflow(name="retrain")
        def work():
            return start_run(project, plugins, run_id="retrain-1", who="loop").sha256

        return work

    def register():
        register_workflows()
        retrain()

    from dbos import DBOS, SetWorkflowID
    with launched(project.state, "loop", register):
        if DBOS.get_workflow_status("alert-1") is None:
            with SetWorkflowID("alert-1"):
                handle = DBOS.start_workflow(retrain())
        else:
            handle = DBOS.retrieve_workflow("alert-1")
        print("sha256", handle.get_result(), flush=True)
""")


def test_a_killed_loop_goes_on_with_its_run_and_does_nothing_twice(table_project):
    command = [sys.executable, "-c", LOOP, str(table_project)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        deadline = time.monotonic() + 300
        while not list(table_project.glob(".tuneloop/steps/tune-*/checkpoints/**/trainer_state.json")):
            assert process.poll() is None, process.stdout.read().decode()
            assert time.monotonic() < deadline
            time.sleep(0.001)
        process.kill()
    for _ in range(2):
        again = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=900)
        (record,) = list_runs(table_project / ".tuneloop")
        assert again.stdout.splitlines()[-1:] == [f"sha256 {record.status.sha256}"], again.stderr
    assert (record.request.run, record.state, record.request.who) == ("retrain-1", "passed", "loop")
    assert len(list(table_project.glob(".tuneloop/mlflow/*/artifacts/artifact/manifest.json"))) == 1
