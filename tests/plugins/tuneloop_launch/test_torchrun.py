"""Two processes take the steps of one, and a killed one ends nothing that cannot go on."""

import pytest

from tuneloop.api import DataError, Job, RunError
from tuneloop_launch import Torchrun

pytestmark = pytest.mark.filterwarnings("ignore:.*find_unused_parameters.*")


def launch(entry, argument, *, restarts=0, report=lambda record: None):
    def here():
        pytest.fail("the work was done in this process")

    launcher = Torchrun(Torchrun.Options(processes=2, restarts=restarts, threads=1))
    return launcher.run(Job(f"fits:{entry}", lambda: argument, here, report))


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """What one process reaches."""
    import sys
    from pathlib import Path

    sys.path.insert(0, str(Path(__file__).parents[1]))
    try:
        import fits

        folder = tmp_path_factory.mktemp("alone")
        return fits.fit_all({"folder": str(folder), "fits": list(fits.FITS)}, lambda record: None)
    finally:
        sys.path.pop(0)


def test_two_processes_take_the_steps_of_one(alone, tmp_path):
    told = []
    together = launch("fit_all", {"folder": str(tmp_path), "fits": list(alone)}, report=told.append)
    for name, one in alone.items():
        two = together[name]
        assert two["loss"] == pytest.approx(one["loss"], abs=1e-5), name
        assert two["validation_loss"] == pytest.approx(one["validation_loss"], abs=1e-5), name
        assert len(set(two["hashes"])) == 1, f"{name}: the processes ended with different weights"
    losses = [loss for one in alone.values() for loss in one["loss"]]
    assert [record["loss"] for record in told] == pytest.approx(losses, abs=1e-5)


@pytest.mark.slow
def test_a_killed_process_is_started_again_and_all_end_with_the_same_bits(tmp_path):
    undisturbed = launch("fit_killed", {"folder": str(tmp_path / "a"), "kills": []})
    told = []
    # 6 steps an epoch: it dies in the middle of the first epoch in which layers thaw.
    argument = {"folder": str(tmp_path / "b"), "kills": [(1, 9)]}
    assert launch("fit_killed", argument, restarts=1, report=told.append) == undisturbed
    assert (tmp_path / "b" / "killed-0").exists()
    assert [record["epoch"] for record in told] == undisturbed["epochs"]


def test_what_is_lost_too_often_says_how_to_go_on(tmp_path):
    with pytest.raises(RunError) as caught:
        launch("die", {}, restarts=1)
    said = str(caught.value)
    assert said.startswith("training process 1 of 2 was killed by SIGKILL (as the system does when memory runs out).")
    assert "It was started again once before." in said
    assert "`tuneloop run --resume` goes on from the last whole checkpoint" in said


def test_an_error_in_one_process_arrives_and_is_not_repeated(tmp_path):
    with pytest.raises(DataError, match=r"^row 7 is odd$") as caught:
        launch("fit_broken", {}, restarts=2)
    assert "fits.py" in str(caught.value.__cause__)


def test_gpus_that_are_not_there_are_missed_before_anything_starts():
    torch = pytest.importorskip("torch")
    if torch.cuda.device_count() >= 64:
        pytest.skip("this machine has as many GPUs as the test asks for")
    launcher = Torchrun(Torchrun.Options(processes=64, backend="nccl"))
    job = Job("no:work", lambda: pytest.fail("it was prepared"), lambda: pytest.fail("it began"), print)
    with pytest.raises(RunError, match=r"needs a CUDA device for each of the 64 processes; this machine has \d+"):
        launcher.run(job)
    with pytest.raises(RunError, match="nccl"):
        launcher.examine()


@pytest.mark.gpu
def test_two_gpus_take_the_steps_of_one(alone, tmp_path):
    torch = pytest.importorskip("torch")
    if torch.cuda.device_count() < 2:
        pytest.skip(f"needs two CUDA devices; this machine has {torch.cuda.device_count()}")
    launcher = Torchrun(Torchrun.Options(processes=2, backend="nccl"))
    argument = {"folder": str(tmp_path), "fits": list(alone)}
    together = launcher.run(Job("fits:fit_all", lambda: argument, lambda: None, lambda record: None))
    for name, one in alone.items():
        assert together[name]["loss"] == pytest.approx(one["loss"], abs=1e-3), name
