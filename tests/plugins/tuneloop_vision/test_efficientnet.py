"""EfficientNet-lite0: its padding, and what is no checkpoint of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tuneloop.api import PluginError
from tuneloop.preprocessing.image import ImagePreprocessor, ImageSettings
from tuneloop.tasks import ImageClassification
from tuneloop_vision import EfficientNetLite0

torch = pytest.importorskip("torch")
TASK = ImageClassification(["a", "b"])


@pytest.mark.parametrize(("size", "stride", "kernel"), [(8, 2, 3), (7, 2, 3), (8, 2, 5), (9, 1, 5)])
def test_convolutions_pad_on_the_far_side(size: int, stride: int, kernel: int) -> None:
    from tuneloop_vision.efficientnet_network import SameConv

    convolution = SameConv(1, 1, kernel, stride, bias=False)
    found = convolution(torch.ones(1, 1, size, size))
    assert found.shape[2:] == (-(-size // stride),) * 2
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    near, far = total // 2, total - total // 2
    weight = convolution.weight[0, 0]
    assert torch.allclose(found[0, 0, 0, 0], weight[near:, near:].sum(), atol=1e-5)
    assert torch.allclose(found[0, 0, -1, -1], weight[: kernel - far, : kernel - far].sum(), atol=1e-5)


def test_what_is_no_checkpoint(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    base = EfficientNetLite0(EfficientNetLite0.Options(checkpoint="lite0"))
    made = ImagePreprocessor(ImageSettings(height=32, width=32))
    with pytest.raises(PluginError, match=r"model.checkpoint 'lite0': there is no .*model.safetensors"):
        base.files(tmp_path)
    (tmp_path / "lite0").mkdir()
    save_file({"timm_model.conv_stem.weight": torch.zeros(1)}, tmp_path / "lite0" / "model.safetensors")
    with pytest.raises(PluginError, match="does not hold an EfficientNet-lite0"):
        base.build(tmp_path, TASK, made)
