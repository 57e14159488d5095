"""Killed runs go on where they were, and end with the same bits."""

import json
import signal

import pytest


@pytest.fixture(scope="module")
def undisturbed(tiny, tmp_path_factory):
    torch = pytest.importorskip("torch")
    torch.set_num_threads(1)
    network, result = tiny.fit(tmp_path_factory.mktemp("whole"))
    return f"{tiny.weights_hash(network)} {result!r}"


def test_resume_is_bit_exact_after_kills_in_both_stages_and_in_a_save(tiny, run_tiny, tmp_path, undisturbed):
    # 6 steps an epoch: in the head's second epoch, in a save of the thawing stage, in its last epoch.
    assert run_tiny("kill-after", str(tmp_path), "9").returncode == -signal.SIGKILL
    assert list(tmp_path.glob("features/head/checkpoint-*"))
    assert run_tiny("kill-in-save", str(tmp_path), "7").returncode == -signal.SIGKILL
    partial = [path for path in tmp_path.glob("thaw/checkpoint-*") if not (path / "trainer_state.json").exists()]
    assert partial
    assert all((path / "model.safetensors").exists() for path in partial)
    assert run_tiny("kill-after", str(tmp_path), "3").returncode == -signal.SIGKILL
    assert not any(path.exists() and not (path / "trainer_state.json").exists() for path in partial)
    last = run_tiny("go", str(tmp_path))
    assert last.returncode == 0, last.stderr
    assert last.stdout.strip() == undisturbed


def test_two_runs_give_the_same_weights_with_more_than_one_thread(run_tiny, tmp_path):
    """Two threads cut sums in other places than one, which is used elsewhere; but in the same ones in each run."""
    # A thread that waits sleeps: on a busy machine spinning would take many times as long.
    environment = {"TINY_STRATEGY": "full", "OMP_WAIT_POLICY": "PASSIVE"}
    one, other = (run_tiny("threads", str(tmp_path / name), "2", **environment) for name in ("one", "other"))
    assert one.returncode == other.returncode == 0, one.stderr + other.stderr
    assert one.stdout == other.stdout != ""


def test_finished_stage_is_loaded_not_trained_again(tiny, tmp_path, undisturbed, monkeypatch):
    tiny.fit(tmp_path)
    from tuneloop_torch.loop import Loop

    monkeypatch.setattr(Loop, "training_step", lambda *_: pytest.fail("trained again"))
    network, result = tiny.fit(tmp_path)
    assert f"{tiny.weights_hash(network)} {result!r}" == undisturbed


def test_checkpoints_hold_json_and_safetensors_only(tiny, tmp_path):
    tiny.fit(tmp_path)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {path.suffix for path in files} == {".json", ".safetensors", ".npy"}


@pytest.mark.parametrize("damage", ["no state", "cut state", "no optimizer", "no weights"])
def test_partial_checkpoints_are_passed_over_and_removed(tmp_path, damage):
    from tuneloop_torch.checkpoints import newest_whole

    names = ("model.safetensors", "optimizer.safetensors", "progress.json", "random.safetensors")
    for step in (3, 20):
        folder = tmp_path / f"checkpoint-{step}"
        folder.mkdir()
        for name in names:
            (folder / name).write_bytes(b"")
        (folder / "trainer_state.json").write_text(json.dumps({"global_step": step}))
    broken = tmp_path / "checkpoint-20"
    if damage == "cut state":
        (broken / "trainer_state.json").write_text('{"global_st')
    else:
        name = {"no state": "trainer_state.json", "no optimizer": "optimizer.safetensors", "no weights": names[0]}
        (broken / name[damage]).unlink()
    assert newest_whole(tmp_path) == tmp_path / "checkpoint-3"
    assert not broken.exists()


def test_no_checkpoint_at_all(tmp_path):
    from tuneloop_torch.checkpoints import newest_whole

    assert newest_whole(tmp_path / "absent") is None


def test_random_state_survives_a_round_trip(tmp_path):
    import random

    import numpy as np
    import torch

    from tuneloop_torch.checkpoints import load_random, save_random

    save_random(tmp_path, {"loss_sum": 1.5, "loss_steps": 2})
    first = (random.random(), np.random.rand(), torch.rand(3).tolist())
    assert load_random(tmp_path) == {"loss_sum": 1.5, "loss_steps": 2}
    assert (random.random(), np.random.rand(), torch.rand(3).tolist()) == first
