"""EfficientNet-lite0 in plain torch, with the names of timm's `tf_efficientnet_lite0`. Imports torch.

M. Tan, Q. Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks", ICML 2019; the lite variant
has neither squeeze-and-excitation nor swish. Convolutions pad as TensorFlow does: the odd pixel goes to the far side.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from tuneloop_vision.network import scaled

PREFIX = "timm_model."
"""Of names in checkpoints of transformers' TimmWrapper."""
UNUSED = frozenset({"classifier.weight", "classifier.bias"})
WIDTH = 1280
"""Of the pooled features."""
_STAGES = (
    # kernel, stride, expansion, channels, blocks
    (3, 1, 1, 16, 1),
    (3, 2, 6, 24, 2),
    (5, 2, 6, 40, 2),
    (3, 2, 6, 80, 3),
    (5, 1, 6, 112, 3),
    (5, 2, 6, 192, 4),
    (3, 1, 6, 320, 1),
)
_EPS = 1e-3


class SameConv(nn.Conv2d):
    """A convolution that pads so that its output has one place for each `stride` of its input."""

    def forward(self, states: Tensor) -> Tensor:
        """`[batch, channels, height, width]`."""
        pads: list[int] = []
        for axis in (3, 2):
            kernel, stride = self.kernel_size[axis - 2], self.stride[axis - 2]
            size = states.shape[axis]
            total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
            pads += [total // 2, total - total // 2]
        padded = functional.pad(states, pads) if any(pads) else states
        return functional.conv2d(padded, self.weight, self.bias, self.stride, 0, 1, self.groups)


class Separable(nn.Module):
    """A convolution of each channel by itself, then one over channels: the block without expansion."""

    def __init__(self, before: int, after: int, kernel: int) -> None:
        super().__init__()
        self.conv_dw = SameConv(before, before, kernel, groups=before, bias=False)
        self.bn1 = nn.BatchNorm2d(before, eps=_EPS)
        self.conv_pw = nn.Conv2d(before, after, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(after, eps=_EPS)

    def forward(self, states: Tensor) -> Tensor:
        """`[batch, channels, height, width]`."""
        found = functional.relu6(self.bn1(self.conv_dw(states)))
        result: Tensor = self.bn2(self.conv_pw(found))
        return result


class Inverted(nn.Module):
    """Expand, convolve each channel by itself, project; added to its input where the shapes allow."""

    def __init__(self, before: int, after: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        inner = before * expansion
        self.conv_pw = nn.Conv2d(before, inner, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(inner, eps=_EPS)
        self.conv_dw = SameConv(inner, inner, kernel, stride, groups=inner, bias=False)
        self.bn2 = nn.BatchNorm2d(inner, eps=_EPS)
        self.conv_pwl = nn.Conv2d(inner, after, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(after, eps=_EPS)
        self.adds = stride == 1 and before == after

    def forward(self, states: Tensor) -> Tensor:
        """`[batch, channels, height, width]`."""
        found = functional.relu6(self.bn1(self.conv_pw(states)))
        found = functional.relu6(self.bn2(self.conv_dw(found)))
        result: Tensor = self.bn3(self.conv_pwl(found))
        return result + states if self.adds else result


class Backbone(nn.Module):
    """Pixels, scaled to -1 to 1, to pooled features."""

    def __init__(self) -> None:
        super().__init__()
        self.conv_stem = SameConv(3, 32, 3, 2, bias=False)
        self.bn1 = nn.BatchNorm2d(32, eps=_EPS)
        before, stages = 32, []
        for kernel, stride, expansion, after, blocks in _STAGES:
            stage: list[nn.Module] = []
            for place in range(blocks):
                step = stride if place == 0 else 1
                made = (
                    Separable(before, after, kernel)
                    if expansion == 1
                    else Inverted(before, after, kernel, step, expansion)
                )
                stage.append(made)
                before = after
            stages.append(nn.Sequential(*stage))
        self.blocks = nn.Sequential(*stages)
        self.conv_head = nn.Conv2d(before, WIDTH, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(WIDTH, eps=_EPS)

    def forward(self, pixels: Tensor) -> Tensor:
        """`float32 [batch, 1280]`."""
        states = functional.relu6(self.bn1(self.conv_stem(pixels)))
        states = self.blocks(states)
        return functional.relu6(self.bn2(self.conv_head(states))).mean(dim=(2, 3))


class EfficientNet(nn.Module):
    """Pixels to logits and a pooled embedding; see `tuneloop.api.TorchModel`."""

    def __init__(self, outputs: int, dropout: float) -> None:
        super().__init__()
        self.backbone = Backbone()
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(WIDTH, outputs))
        linear = self.head[1]
        assert isinstance(linear, nn.Linear)
        with torch.no_grad():
            linear.weight.normal_(0, 0.02)
            linear.bias.zero_()

    def features(self, **inputs: Tensor) -> Tensor:
        """The pooled features `float32 [batch, 1280]` of `pixels`, 0 to 255, `[batch, 3, height, width]`."""
        found: Tensor = self.backbone(scaled(inputs["pixels"], (0.5,), (0.5,)))
        return found

    def forward(self, **inputs: Tensor) -> dict[str, Tensor]:
        """`logits [batch, outputs]` and `embedding [batch, 1280]`."""
        embedding = self.features(**inputs)
        return {"logits": self.head(embedding), "embedding": embedding}

    def layer_groups(self) -> list[list[str]]:
        """Parameter names: the head, the last convolution with the stages from the top, then the stem."""
        names = [name for name, _ in self.named_parameters()]
        tops = ("backbone.conv_head.", "backbone.bn2.")
        groups = [[name for name in names if name.startswith("head.")]]
        for stage in reversed(range(len(_STAGES))):
            prefixes = (f"backbone.blocks.{stage}.", *(tops if stage == len(_STAGES) - 1 else ()))
            groups.append([name for name in names if name.startswith(prefixes)])
        groups.append([name for name in names if name.startswith(("backbone.conv_stem.", "backbone.bn1."))])
        return groups
