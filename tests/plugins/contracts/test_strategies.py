"""Strategies among the built-ins pass the contract tests that strangers run."""

from __future__ import annotations

from typing import Any, ClassVar

from tuneloop.api.testing import (
    StrategyContract,
)
from tuneloop_torch import FeatureExtraction, Full, GradualUnfreezing, Lora

QUICK = {"epochs": 2, "batch_size": 16, "head_learning_rate": 0.05}


class TestFull(StrategyContract):
    plugin = Full
    options: ClassVar[Any] = {**QUICK, "learning_rate": 0.01}


class TestFeatureExtraction(StrategyContract):
    plugin = FeatureExtraction
    options: ClassVar[Any] = QUICK


class TestGradualUnfreezing(StrategyContract):
    plugin = GradualUnfreezing
    options: ClassVar[Any] = {**QUICK, "head_epochs": 1, "learning_rate": 0.01}


class TestLora(StrategyContract):
    plugin = Lora
    options: ClassVar[Any] = {**QUICK, "learning_rate": 0.05, "rank": 2}


class TestDora(StrategyContract):
    plugin = Lora
    options: ClassVar[Any] = {**QUICK, "learning_rate": 0.05, "rank": 2, "dora": True}


class TestFullWithEverything(StrategyContract):
    plugin = Full
    options: ClassVar[Any] = {
        **QUICK,
        "learning_rate": 0.01,
        "layer_decay": 0.9,
        "schedule": "polynomial",
        "micro_batch_size": 5,
        "l1": 1e-5,
        "freeze": {"names": ["table.*"]},
        "reinitialize": {"head": "xavier", "layers": 1},
    }
