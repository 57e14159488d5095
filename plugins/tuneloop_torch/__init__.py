"""The training loop for torch models, and the strategies that use it."""

from __future__ import annotations

from tuneloop.api import Strategy, hookimpl
from tuneloop_torch.strategies.feature_extraction import FeatureExtraction
from tuneloop_torch.strategies.full import Full
from tuneloop_torch.strategies.gradual_unfreezing import GradualUnfreezing
from tuneloop_torch.strategies.lora import Lora

TUNELOOP_API = ">=1,<2"


@hookimpl
def tuneloop_strategies() -> list[type[Strategy]]:
    """The strategies of this folder."""
    return [Full, FeatureExtraction, GradualUnfreezing, Lora]
