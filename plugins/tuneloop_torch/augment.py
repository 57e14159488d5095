"""Pictures changed anew each time they are trained on: turned, mirrored, cut, shifted, noisy, mixed. Imports torch.

Only the loop's training steps come here: no picture is changed where a model is judged, exported or served. Random
numbers are torch's own, which checkpoints hold.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn import functional

from tuneloop.api import PluginError, Tensor
from tuneloop_torch.sections import Augment

_WHITE = 255.0


@dataclass(frozen=True, slots=True)
class Mix:
    """Each row mixed with another one: `share` of itself, the rest of the row at its place in `order`.

    H. Zhang, M. Cisse, Y. Dauphin, D. Lopez-Paz, "mixup: Beyond Empirical Risk Minimization", ICLR 2018.
    """

    order: torch.Tensor
    share: float


def pictures(tensors: Sequence[Tensor]) -> tuple[str, ...]:
    """The inputs that are pictures: `[batch, channels, height, width]`."""
    return tuple(tensor.name for tensor in tensors if len(tensor.shape) == 4)


def check_augment(options: Augment | None, tensors: Sequence[Tensor], *, distills: bool) -> None:
    """Refuse what could not be done.

    Raises:
        PluginError: There are no pictures, or rows are mixed whose teacher saw them unmixed.
    """
    if options is None:
        return
    if not pictures(tensors):
        names = ", ".join(tensor.name for tensor in tensors)
        raise PluginError(f"tune.augment changes pictures, and this model reads none, only: {names}; leave it out")
    if options.mixup and distills:
        raise PluginError("tune.augment.mixup mixes rows, and tune.distill knows the teacher's answers to whole ones")


def augment(inputs: dict[str, Any], names: Sequence[str], options: Augment) -> tuple[dict[str, Any], Mix | None]:
    """A batch with changed pictures, `float32` of 0 to 255; and how its rows were mixed, where they were.

    Args:
        inputs: A tensor a model input.
        names: Those that are pictures.
        options: How they are changed.
    """
    changed = dict(inputs)
    mix = None
    for name in names:
        found = _moved(inputs[name].float(), options)
        if options.noise:
            found = (found + torch.randn_like(found) * options.noise * _WHITE).clamp(0, _WHITE)
        if options.mixup:
            if mix is None:
                share = torch.distributions.Beta(options.mixup, options.mixup).sample().item()
                mix = Mix(torch.randperm(len(found)).to(found.device), share)
            found = mix.share * found + (1 - mix.share) * found[mix.order]
        changed[name] = found
    return changed, mix


def _moved(images: torch.Tensor, options: Augment) -> torch.Tensor:
    """Turned, zoomed, cut, shifted and mirrored in one step, so that pixels are computed once."""
    if not (options.flip or options.rotate or options.scale or options.shift or options.crop < 1):
        return images
    rows, height, width = len(images), images.shape[2], images.shape[3]

    def between(low: float, high: float) -> torch.Tensor:
        return low + (high - low) * torch.rand(rows)

    angle = between(-options.rotate, options.rotate) * (math.pi / 180)
    window = between(options.crop, 1.0)
    reach = window / between(1 - options.scale, 1 + options.scale)
    mirror = 1.0 - 2.0 * (torch.rand(rows) < 0.5) if options.flip else torch.ones(rows)
    ratio = height / width
    # From places of the new picture to places of the old one; both sides reach from -1 to 1.
    theta = torch.zeros(rows, 2, 3)
    theta[:, 0, 0], theta[:, 0, 1] = mirror * reach * angle.cos(), -reach * angle.sin() * ratio
    theta[:, 1, 0], theta[:, 1, 1] = mirror * reach * angle.sin() / ratio, reach * angle.cos()
    for axis in range(2):
        theta[:, axis, 2] = between(-1, 1) * (1 - window) + 2 * between(-options.shift, options.shift)
    grid = functional.affine_grid(theta.to(images.device), list(images.shape), align_corners=False)
    return functional.grid_sample(images, grid, mode="bilinear", padding_mode="border", align_corners=False)
