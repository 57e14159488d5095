"""Training on a real cluster of two nodes."""

import contextlib
from typing import Any, ClassVar

import psutil
import pytest

from tuneloop.api import DataError, Job, RunError
from tuneloop.api.testing import LauncherContract
from tuneloop_ray import RayLauncher

# Ray uses parts of itself that it warns of.
pytestmark = [pytest.mark.cluster, pytest.mark.filterwarnings("default")]

FITS = ("full", "last row alone", "gradual", "features")


def launch(address, entry, argument, *, report=lambda record: None, **options):
    def here():
        pytest.fail("the work was done in this process")

    launcher = RayLauncher(RayLauncher.Options(address=address, **options))
    return launcher.run(Job(f"fits:{entry}", lambda: argument, here, report))


class TestRayLauncher(LauncherContract):
    plugin = RayLauncher
    options: ClassVar[Any] = {"processes": 1}

    @pytest.fixture(autouse=True)
    def _on_the_cluster(self, address, monkeypatch):
        monkeypatch.setattr(type(self), "options", {"processes": 1, "restarts": 0, "address": address})


def test_two_nodes_take_the_steps_of_one_process(address, tmp_path, monkeypatch, tiny):
    from pathlib import Path

    monkeypatch.syspath_prepend(str(Path(__file__).parents[1]))
    import fits

    alone = fits.fit_all({"folder": str(tmp_path / "alone"), "fits": FITS}, lambda record: None)
    told: list[Any] = []
    together = launch(address, "fit_all", {"folder": str(tmp_path / "a"), "fits": FITS}, report=told.append)
    for name, one in alone.items():
        assert together[name]["loss"] == pytest.approx(one["loss"], abs=1e-5), name
        assert together[name]["validation_loss"] == pytest.approx(one["validation_loss"], abs=1e-5), name
        assert len(set(together[name]["hashes"])) == 1, f"{name}: the processes ended with different weights"
    assert len(told) == sum(len(one["loss"]) for one in alone.values())


def test_a_killed_worker_ends_nothing(address, tmp_path):
    undisturbed = launch(address, "fit_killed", {"folder": str(tmp_path / "a"), "kills": []})
    told: list[Any] = []
    argument = {"folder": str(tmp_path / "b"), "kills": [(1, 9)]}
    assert launch(address, "fit_killed", argument, report=told.append, restarts=1) == undisturbed
    assert (tmp_path / "b" / "killed-0").exists()
    assert [record["epoch"] for record in told] == undisturbed["epochs"]


def test_what_is_lost_too_often_says_how_to_go_on(address):
    with pytest.raises(RunError, match=r"was lost in each of 1 attempts.*`tuneloop run --resume` goes on"):
        launch(address, "die", {}, restarts=0)


def test_a_cluster_that_is_lost_says_how_to_go_on(address, tmp_path):
    def lose(_):
        # The nodes are processes of this one.
        for process in psutil.Process().children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                if "ray::Board" in " ".join(process.cmdline()):
                    process.kill()

    with pytest.raises(RunError, match=r"the Ray cluster was lost in the training: .*`tuneloop run --resume` goes on"):
        launch(address, "fit_killed", {"folder": str(tmp_path), "kills": []}, report=lose, restarts=0)


def test_an_error_in_one_process_arrives_and_is_not_repeated(address):
    with pytest.raises(DataError, match=r"^row 7 is odd$") as caught:
        launch(address, "fit_broken", {}, restarts=1)
    assert "fits.py" in str(caught.value.__cause__)


@pytest.mark.parametrize(("options", "said"), [({"processes": 3}, "3 CPUs"), ({"gpus": 1.0}, "2 GPUs")])
def test_what_the_cluster_can_never_hold_is_refused(address, options, said):
    with pytest.raises(RunError, match=f"training asks for {said}"):
        launch(address, "fit_broken", {}, **options)


def test_a_lost_call_of_many_is_repeated(address, tmp_path):
    arguments = [{"folder": str(tmp_path / str(number)), "value": number} for number in range(2)]
    launcher = RayLauncher(RayLauncher.Options(address=address, restarts=1))
    outcomes = list(launcher.run_many("fits:die_once", iter(arguments), 2))
    assert sorted((outcome.position, outcome.answer, outcome.error) for outcome in outcomes) == [
        (0, 0, None),
        (1, 1, None),
    ]
    launcher = RayLauncher(RayLauncher.Options(address=address, restarts=0))
    (lost,) = launcher.run_many("fits:die_once", iter([{"folder": str(tmp_path / "more"), "value": 2}]), 2)
    assert lost.answer is None
    assert "was lost" in lost.error
