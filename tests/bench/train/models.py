"""The models that are trained."""

from __future__ import annotations

from typing import Any

import torch
from tests.bench.train.data import CATEGORIES, CLASSES


def minilm() -> Any:
    """all-MiniLM-L6-v2 with a fresh head of 20 classes: 22.6 million parameters."""
    from tuneloop.demo.corpus import weights
    from tuneloop_transformers.backbone import load_backbone
    from tuneloop_transformers.checkpoint import Checkpoint
    from tuneloop_transformers.network import PooledClassifier

    torch.manual_seed(0)
    backbone = load_backbone(Checkpoint(str(weights()), None, weights()))
    return PooledClassifier(backbone, CLASSES, "mean", 0.1).eval()


def table() -> Any:
    """An MLP of 128 and 64 units: 12 thousand parameters."""
    from tuneloop_tabular.network import TableNetwork

    torch.manual_seed(0)
    return TableNetwork(10, CATEGORIES, (128, 64), 2, 0.1).eval()
