"""Base models among the built-ins pass the contract tests that strangers run."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from tests.plugins.contracts.samples import PICTURE_COLUMNS, PICTURES

import tuneloop_tabular
import tuneloop_vision
from tuneloop.api.testing import (
    BaseModelContract,
)


class TestImageCnn(BaseModelContract):
    plugin = tuneloop_vision.ImageCnn
    options: ClassVar[Any] = {"size": 16, "widths": [4, 6], "channels": 1}
    columns = PICTURE_COLUMNS
    rows = PICTURES


class TestEfficientNetLite0(BaseModelContract):
    plugin = tuneloop_vision.EfficientNetLite0
    options: ClassVar[Any] = {"checkpoint": "lite0", "size": 32}
    columns = PICTURE_COLUMNS
    rows = PICTURES[:2]

    def files(self, root: Path) -> None:
        import torch
        from safetensors.torch import save_file

        from tuneloop_vision.efficientnet_network import Backbone

        torch.manual_seed(1)
        (root / "lite0").mkdir(exist_ok=True)
        weights = {f"timm_model.{name}": tensor for name, tensor in Backbone().state_dict().items()}
        weights["timm_model.classifier.bias"] = torch.zeros(1000)
        save_file(weights, root / "lite0" / "model.safetensors")


class TestTabularMlp(BaseModelContract):
    plugin = tuneloop_tabular.TabularMlp
    options: ClassVar[Any] = {"hidden": [8, 4]}


class TestTabularMlpOfPieces(BaseModelContract):
    plugin = tuneloop_tabular.TabularMlp
    options: ClassVar[Any] = {"hidden": [8, 4], "scale": "quantile", "pieces": 8}
