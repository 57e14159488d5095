"""The base models pass the contract tests that strangers run."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any, ClassVar

import pytest

from tuneloop.api import Columns, PluginError
from tuneloop.api.testing import BaseModelContract
from tuneloop.preprocessing.image import ImagePreprocessor, ImageSettings
from tuneloop.tasks import ImageClassification
from tuneloop_transformers import Transformers, TransformersImage, TransformersSpans


class TestTransformers(BaseModelContract):
    plugin = Transformers
    options: ClassVar[Any] = {"checkpoint": "models/tiny"}

    @pytest.fixture
    def root(self, checkpoint: Path, tmp_path: Path) -> Path:
        self.source = checkpoint
        folder = tmp_path / "project"
        folder.mkdir()
        self.files(folder)
        return folder

    def files(self, root: Path) -> None:
        shutil.copytree(self.source, root / "models" / "tiny", dirs_exist_ok=True)


class TestTransformersSpans(BaseModelContract):
    plugin = TransformersSpans
    options: ClassVar[Any] = {"checkpoint": "models/tiny", "max_length": 16, "overlap": 2}
    columns = Columns({"question": "q", "context": "c"}, target="a")
    rows = (
        {"q": "good?", "c": "bad day", "a": ["day"]},
        {"q": "bad day", "c": "good night " * 9, "a": ["night"]},
        {"q": "night", "c": "x", "a": ["x"]},
    )

    @pytest.fixture
    def root(self, checkpoint: Path, tmp_path: Path) -> Path:
        self.source = checkpoint
        folder = tmp_path / "project"
        folder.mkdir()
        self.files(folder)
        return folder

    def files(self, root: Path) -> None:
        shutil.copytree(self.source, root / "models" / "tiny", dirs_exist_ok=True)


class TestTransformersImage(BaseModelContract):
    plugin = TransformersImage
    options: ClassVar[Any] = {"checkpoint": "models/tiny"}
    columns = Columns({"image": "image"}, target="label")
    rows = tuple({"image": {"array": [[9 * n, 200, x] for x in range(3 + n)]}, "label": "ab"[n % 2]} for n in range(3))

    def files(self, root: Path) -> None:
        write_image_checkpoint(root / "models" / "tiny", "vit")


def write_image_checkpoint(folder: Path, kind: str) -> None:
    """A tiny image model as `save_pretrained` writes it, with what its processor says."""
    import torch
    from transformers import AutoModel, ConvNextConfig, ResNetConfig, ViTConfig

    config = {
        "vit": lambda: ViTConfig(
            hidden_size=16,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=32,
            image_size=16,
            patch_size=8,
        ),
        "resnet": lambda: ResNetConfig(embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], layer_type="basic"),
        "convnext": lambda: ConvNextConfig(hidden_sizes=[8, 16], depths=[1, 1], num_stages=2, patch_size=2),
    }[kind]()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        AutoModel.from_config(config).save_pretrained(folder)
    size = {"height": 16, "width": 16} if kind == "vit" else {"shortest_edge": 16}
    said = {"size": size, "image_mean": [0.1, 0.2, 0.3], "image_std": [0.5, 0.6, 0.7], "resample": 3, "crop_pct": 0.875}
    (folder / "preprocessor_config.json").write_text(json.dumps(said))


@pytest.mark.parametrize("kind", ["resnet", "convnext"])
def test_convolutional_image_models(tmp_path: Path, kind: str) -> None:
    """Their size, scale and pooled vectors are the checkpoint's own; they are saved whole and cut into layers."""
    import torch

    write_image_checkpoint(tmp_path / "tiny", kind)
    base = TransformersImage(TransformersImage.Options(checkpoint="tiny"))
    choice = base.preprocessor(tmp_path)
    wanted = {"height": 16, "width": 16, "channels": 3, "fit": "crop", "margin": 0.875, "resample": "bicubic"}
    assert choice.options == wanted
    made, task = ImagePreprocessor(ImageSettings(**wanted)), ImageClassification(["a", "b"])
    model = base.build(tmp_path, task, made)
    pixels = torch.randint(0, 256, (2, 3, 16, 16), dtype=torch.uint8)
    mean, deviation = (torch.tensor(x).reshape(1, 3, 1, 1) for x in ([0.1, 0.2, 0.3], [0.5, 0.6, 0.7]))
    with torch.no_grad():
        pooled = model.backbone(pixel_values=(pixels / 255 - mean) / deviation).pooler_output.flatten(1)
        assert torch.allclose(model.features(pixels=pixels), pooled, atol=1e-6)
    assert len(model.layer_groups()) >= 3
    (tmp_path / "saved").mkdir()
    base.save(model, task, tmp_path / "saved")
    again = base.load(tmp_path / "saved", task, made)
    with torch.no_grad():
        assert torch.equal(again(pixels=pixels)["logits"], model(pixels=pixels)["logits"])


def test_a_text_model_is_no_image_model(tmp_path: Path, checkpoint: Path) -> None:
    base = TransformersImage(TransformersImage.Options(checkpoint=str(checkpoint)))
    made = ImagePreprocessor(ImageSettings(**base.preprocessor(tmp_path).options))
    with pytest.raises(PluginError, match=r"reads image models; the checkpoint .* is of type 'bert'"):
        base.build(tmp_path, ImageClassification(["a", "b"]), made)
