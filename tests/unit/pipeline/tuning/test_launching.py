"""Training in other processes is the training of this one."""

import numpy as np
import pytest

from tuneloop.artifact import TRAINING
from tuneloop.pipeline.data import check, load, split
from tuneloop.pipeline.runs.cache import perform
from tuneloop.pipeline.tuning import baseline, tune

pytestmark = pytest.mark.filterwarnings("ignore:.*find_unused_parameters.*")

LAUNCH = "launch: {launcher: torchrun, processes: 2, threads: 1}\n"


def prepared(folder, more=""):
    """The project with other lines: no dropout, which would fall on other places in each process."""
    file = folder / "tuneloop.yaml"
    text = file.read_text().replace("hidden: [16]", "hidden: [16], dropout: 0.0")
    file.write_text(text + more)
    return folder


def tuned(scope):
    done = {}
    for module in (load, check, split, baseline, tune):
        done[module.STEP.name] = perform(module.STEP, scope, done)
    return done["tune"]


def weights(result):
    from safetensors.numpy import load_file

    (file,) = (result.folder / TRAINING).glob("*.safetensors")
    return load_file(file)


@pytest.fixture(scope="module")
def alone(tmp_path_factory, write_project):
    """The step's result in one process."""
    from tuneloop.config import load_project
    from tuneloop.pipeline.runs.records import RunRequest, create
    from tuneloop.pipeline.runs.step import Scope
    from tuneloop.plugins import default_manager

    folder = prepared(write_project(tmp_path_factory.mktemp("alone"), rows=300, epochs=2))
    plugins = default_manager()
    project = load_project(folder, plugins)
    request = RunRequest(run="20260101-000000-test", project=project.name, started="2026-01-01T00:00:00Z", who="ada")
    content = (folder / "tuneloop.yaml").read_bytes()
    result = tuned(Scope(project, plugins, create(project.state, request, content, None)))
    return result.output["history"], weights(result)


@pytest.mark.parametrize("apart", [False, True], ids=["one file system", "machines that share a storage"])
def test_the_step_ends_with_the_same_model(alone, tmp_path, write_project, scope_of, monkeypatch, apart):
    from dataclasses import replace

    from tuneloop_launch import Torchrun

    more = f"storage: {tmp_path / 'storage'}\n" if apart else ""
    folder = prepared(write_project(tmp_path / "income", rows=300, epochs=2), LAUNCH + more)
    if apart:
        # Each process then works in a folder of its own, as on two machines.
        monkeypatch.setattr(Torchrun, "shares_files", False)
    told = []
    result = tuned(replace(scope_of(folder), listen=told.append))
    history, before = alone
    assert len(result.output["history"]) == len(history) == 2
    for one, two in zip(history, result.output["history"], strict=True):
        assert two == pytest.approx(one, abs=1e-5)
    after = weights(result)
    assert before.keys() == after.keys()
    for name, values in before.items():
        np.testing.assert_allclose(after[name], values, atol=1e-4)
    assert [dict(each.data) for each in told if each.kind == "record"] == result.output["history"]
    assert {path.name for path in result.folder.iterdir() if not path.name.startswith(".")} == {"output.json", TRAINING}
    assert not list((tmp_path / "storage").rglob("launched/*"))


def test_files_that_a_machine_does_not_see_are_named(tmp_path):
    from tuneloop.api import RunError
    from tuneloop.pipeline.tuning.launching import work

    argument = {"place": None, "folder": str(tmp_path / "elsewhere"), "done": {}}
    with pytest.raises(RunError, match=r"does not see .*elsewhere.*name a storage that all machines reach"):
        work(argument, lambda record: None)


def test_a_strategy_for_one_process_is_refused_when_the_project_is_read(tmp_path, write_project, monkeypatch):
    from tuneloop.api import ConfigError
    from tuneloop.config import load_project
    from tuneloop.plugins import default_manager
    from tuneloop_torch import Full

    folder = write_project(tmp_path)
    (folder / "tuneloop.yaml").write_text((folder / "tuneloop.yaml").read_text() + LAUNCH)
    monkeypatch.setattr(Full, "distributed", False)
    with pytest.raises(ConfigError, match="trains with 2 processes, and strategy 'full' knows only one"):
        load_project(folder, default_manager())
