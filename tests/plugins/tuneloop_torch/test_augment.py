"""Pictures are changed in training alone, as the options say, and repeatably."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tuneloop.api import PluginError, Tensor

torch = pytest.importorskip("torch")
PIXELS = Tensor("pixels", "uint8", ("batch", 3, 8, 8))


def changed(images: Any, **options: Any) -> Any:
    from tuneloop_torch.augment import augment
    from tuneloop_torch.sections import Augment

    torch.manual_seed(0)
    return augment({"pixels": images, "other": torch.ones(1)}, ("pixels",), Augment(**options))


def ramp(rows: int = 64) -> Any:
    """Rows of pictures that rise from left to right."""
    return (torch.arange(8).float() * 30).expand(rows, 3, 8, 8).to(torch.uint8)


def test_nothing_asked_nothing_changed() -> None:
    found, mix = changed(ramp())
    assert torch.equal(found["pixels"], ramp().float())
    assert mix is None
    assert torch.equal(found["other"], torch.ones(1))


def test_about_half_are_mirrored() -> None:
    found = changed(ramp(200), flip=True)[0]["pixels"]
    mirrored = [torch.allclose(one, ramp(1)[0].float().flip(-1), atol=1e-2) for one in found]
    kept = [torch.allclose(one, ramp(1)[0].float(), atol=1e-2) for one in found]
    assert sum(mirrored) + sum(kept) == 200
    assert 70 < sum(mirrored) < 130


def test_turned_by_a_quarter_at_most() -> None:
    found = changed(ramp(), rotate=90.0)[0]["pixels"]
    angles = torch.atan2((found[:, 0, 5, 4] - found[:, 0, 2, 4]), (found[:, 0, 4, 5] - found[:, 0, 4, 2])) * 57.3
    assert angles.abs().max() < 92
    assert angles.std() > 20


def test_moved_by_no_more_than_asked() -> None:
    """Two of eight pixels, thirty levels each; what comes in from outside is the picture's edge."""
    difference = changed(ramp(), shift=0.25)[0]["pixels"] - ramp().float()
    assert 40 < difference.abs().max() <= 60 + 1e-2


def test_cut_and_scaled() -> None:
    for options in ({"crop": 0.5}, {"scale": 0.5}):
        found = changed(ramp(), **options)[0]["pixels"]
        slopes = found[:, 0, 4, 5] - found[:, 0, 4, 4]
        assert slopes.min() > 14
        assert slopes.max() < 61
        assert slopes.std() > 2


def test_noise_stays_within_black_and_white() -> None:
    found = changed(ramp(), noise=0.1)[0]["pixels"]
    assert found.min() >= 0
    assert found.max() <= 255
    assert 15 < (found - ramp().float())[:, :, :, 3:6].std() < 30


def test_rows_are_mixed_with_their_labels() -> None:
    images = torch.arange(32).reshape(32, 1, 1, 1).expand(32, 3, 4, 4).float()
    found, mix = changed(images, mixup=1.0)
    assert mix is not None
    assert sorted(mix.order.tolist()) == list(range(32))
    expected = mix.share * torch.arange(32) + (1 - mix.share) * mix.order
    assert torch.allclose(found["pixels"][:, 0, 0, 0], expected.float(), atol=1e-4)


def test_one_seed_one_picture() -> None:
    first, second = (changed(ramp(), rotate=30, noise=0.1, crop=0.7)[0]["pixels"] for _ in range(2))
    assert torch.equal(first, second)


def test_models_without_pictures_are_refused() -> None:
    from tuneloop_torch.augment import check_augment
    from tuneloop_torch.sections import Augment

    check_augment(None, (), distills=True)
    check_augment(Augment(flip=True), (PIXELS,), distills=True)
    with pytest.raises(PluginError, match="reads none, only: input_ids"):
        check_augment(Augment(flip=True), (Tensor("input_ids", "int64", ("batch", "length")),), distills=False)
    with pytest.raises(PluginError, match="mixup mixes rows"):
        check_augment(Augment(mixup=0.2), (PIXELS,), distills=True)


def test_only_training_steps_see_changed_pictures(tmp_path: Any) -> None:
    """In training a network is never shown the pictures themselves, in validation nothing else."""
    from datasets import Dataset

    from tuneloop.api import TrainingData
    from tuneloop_torch import Full

    seen: dict[bool, list[Any]] = {True: [], False: []}

    class Network(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head = torch.nn.Linear(3, 2)

        def forward(self, pixels: Any) -> dict[str, Any]:
            seen[self.training].append(pixels.float().clone())
            return {"logits": self.head(pixels.float().mean(dim=(2, 3)) / 255)}

        def layer_groups(self) -> list[list[str]]:
            return [["head.weight", "head.bias"]]

    pixels = np.random.default_rng(0).integers(0, 256, (12, 3, 8, 8)).astype(np.uint8)
    rows = Dataset.from_dict({"pixels": pixels.tolist(), "labels": [0, 1] * 6, "length": [0] * 12})
    data = TrainingData(rows, rows, (PIXELS,), "cross_entropy", lambda *_: {"x": 1.0}, "x", maximize=True)
    options = Full.Options(epochs=2, batch_size=6, augment={"noise": 0.1, "mixup": 0.4})
    Full(options).fit(Network(), data, tmp_path, 0, lambda _: None)
    whole = {row.tobytes() for row in pixels.astype(np.float32)}
    assert len(seen[True]) == 4
    assert not any(row.numpy().tobytes() in whole for batch in seen[True] for row in batch)
    assert all(row.numpy().tobytes() in whole for batch in seen[False] for row in batch)
    assert not torch.equal(seen[True][0], seen[True][2])


def test_a_mixed_rows_loss_is_the_mix_of_both_rows_losses(first_step: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first step's loss and gradient: `share * CE(own label) + (1 - share) * CE(label of the row mixed in)`."""
    from datasets import Dataset

    from tuneloop.api import TrainingData
    from tuneloop_torch import loop

    original, mixes = loop.augment, []
    seen: list[Any] = []

    def augment(tensors: Any, *rest: Any) -> Any:
        found = original(tensors, *rest)
        mixes.append((tensors["pixels"].float(), found[1]))
        return found

    class Network(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head = torch.nn.Linear(3, 3)

        def forward(self, pixels: Any) -> dict[str, Any]:
            seen.append(pixels.float().mean(dim=(2, 3)) / 255)
            return {"logits": self.head(seen[-1])}

        def layer_groups(self) -> list[list[str]]:
            return [["head.weight", "head.bias"]]

    monkeypatch.setattr(loop, "augment", augment)
    # A row's label can be read from its first pixel, so that no order need be known.
    pixels = np.random.default_rng(0).integers(0, 256, (12, 3, 4, 4)).astype(np.uint8)
    labels = np.arange(12) % 3
    pixels[:, 0, 0, 0] = labels
    rows = Dataset.from_dict({"pixels": pixels.tolist(), "labels": labels.tolist(), "length": [0] * 12})
    tensor = Tensor("pixels", "uint8", ("batch", 3, 4, 4))
    data = TrainingData(rows, rows, (tensor,), "cross_entropy", lambda *_: {"x": 1.0}, "x", maximize=True)
    step = first_step(model=Network(), data=data, batch_size=12, augment={"mixup": 1.0})
    ((images, mix),) = mixes
    assert 0.02 < mix.share < 0.98
    assert (mix.order != torch.arange(12)).any()
    mixed = mix.share * images + (1 - mix.share) * images[mix.order]
    torch.testing.assert_close(seen[0], mixed.mean(dim=(2, 3)) / 255)
    own = images[:, 0, 0, 0].long()
    head = step["model"].head
    chances = head(seen[0]).detach().log_softmax(1)
    losses = [-chances[torch.arange(12), label].mean() for label in (own, own[mix.order])]
    assert step["loss"] == pytest.approx(float(mix.share * losses[0] + (1 - mix.share) * losses[1]), rel=1e-5)
    assert step["loss"] != pytest.approx(float(losses[0]), rel=1e-4)
    right = [torch.nn.functional.one_hot(label, 3) for label in (own, own[mix.order])]
    off = (chances.exp() - mix.share * right[0] - (1 - mix.share) * right[1]) / 12
    torch.testing.assert_close(step["gradients"]["head.weight"], off.T @ seen[0])


def test_cached_features_and_augmentation_exclude_each_other() -> None:
    from tuneloop_torch import FeatureExtraction

    with pytest.raises(ValueError, match="augment says how layers below the head are trained"):
        FeatureExtraction.Options(augment={"flip": True})
