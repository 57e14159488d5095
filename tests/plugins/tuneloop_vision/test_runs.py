"""From pictures in folders to a version that answers. A real run of a small network."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from tests.served import champion, served

from tuneloop.pipeline.delivering.package import bento_home
from tuneloop.serving.packaging.bento import bento_folder

pytest.importorskip("dbos")
images = pytest.importorskip("PIL.Image")
pytestmark = pytest.mark.slow

PROJECT = """name: stripes
task: image-classification
data: {source: image-folder, path: pictures, columns: {image: image, label: label}, split: {validation: 0.2, test: 0.2,
  golden: 0.2, key: file}}
model: {base: image-cnn, size: 16, widths: [8, 16], dropout: 0.0}
tune: {strategy: full, epochs: 8, learning_rate: 1.0e-2, batch_size: 16, augment: {flip: true, shift: 0.1, noise: 0.02}}
gate: {champion: {metric: macro_f1, margin: 0.1}}
evaluate: {metrics: [macro_f1, accuracy]}
export: {format: onnx, quantize: {mode: int8-dynamic, max_loss: 0.2}}
"""


def picture(generator, *, upright, mode="RGB", size=(20, 24)):
    """Dark and light stripes, upright or lying, with noise."""
    places = np.arange(size[0] if upright else size[1])
    wave = 127 + 100 * np.sin(places * 1.2 + generator.uniform(0, 6))
    plane = np.tile(wave, (size[1], 1)) if upright else np.tile(wave[:, None], (1, size[0]))
    noisy = np.clip(plane + generator.normal(0, 10, plane.shape), 0, 255).astype(np.uint8)
    return images.fromarray(noisy).convert(mode)


def in_base64(image, kind="PNG"):
    file = io.BytesIO()
    image.save(file, kind)
    return base64.b64encode(file.getvalue()).decode()


def test_pictures_are_told_apart_from_data_to_a_version_that_answers(tmp_path):
    generator = np.random.default_rng(0)
    folder = tmp_path / "stripes"
    for number in range(120):
        label, upright = (("up", True), ("flat", False))[number % 2]
        mode, suffix = (("RGB", "png"), ("L", "png"), ("RGB", "jpg"), ("P", "gif"))[number // 2 % 4]
        path = folder / "pictures" / label / f"{number}.{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        picture(generator, upright=upright, mode=mode).save(path)
    (folder / "tuneloop.yaml").write_text(PROJECT)
    project, result, loaded = champion(folder)
    assert loaded.artifact.manifest.metrics["macro_f1"] > 0.9
    assert "`image` (image)" in (loaded.artifact.folder / "card.md").read_text()
    watched = (loaded.artifact.folder / "reference.json").read_text()
    assert all(f"image-{name}:image" in watched for name in ("brightness", "contrast", "size", "ratio"))
    bento = bento_folder(bento_home(project.state), result.bento)
    assert "pillow" in (bento / "env" / "python" / "requirements.txt").read_text().lower()
    with served(project, result) as client:
        asked = [picture(generator, upright=True, mode="RGBA"), picture(generator, upright=False, mode="CMYK")]
        rows = [{"image": in_base64(asked[0])}, {"image": in_base64(asked[1], "JPEG")}]
        plain = np.asarray(picture(generator, upright=True, mode="L")).tolist()
        sent = client.post("/predict", json={"rows": [*rows, {"image": {"array": plain}}]}).json()["predictions"]
        assert [answer["label"] for answer in sent] == ["up", "flat", "up"]
        taken = client.post("/feedback", json={"items": [{"id": sent[0]["id"], "label": "up"}]}).json()
        assert taken["stored"] == 1
        for wrong, said in (
            ("bm8gcGljdHVyZQ==", "no image file"),
            (in_base64(images.new("1", (16_000, 16_000))), "at most 24000000"),
            (in_base64(asked[0])[:200], "damaged"),
            ({"array": [[1, 300]]}, "0 to 255"),
            (3, "base64 of an image"),
        ):
            refused = client.post("/predict", json={"rows": [rows[0], {"image": wrong}]})
            problem = refused.json()
            assert (refused.status_code, problem["field"]) == (422, "image"), problem
            assert said in problem["detail"], problem
        tensor = {"name": "image", "shape": [1], "datatype": "BYTES", "data": [rows[0]["image"]]}
        raw = client.post("/v2/models/stripes/infer", json={"inputs": [tensor]}).json()
        assert {"logits", "embedding", "label", "scores"} <= {output["name"] for output in raw["outputs"]}
        shape = [1, 3, 16, 16]
        pixels = {"name": "pixels", "shape": shape, "datatype": "UINT8", "data": [128] * (3 * 16 * 16)}
        raw = client.post("/v2/models/stripes/infer", json={"inputs": [pixels]}).json()
        assert {output["name"] for output in raw["outputs"]} == {"logits", "embedding"}
        page = client.get("/docs.json").json()
        assert '"image": "iVBOR' in str(page).replace("'", '"')
