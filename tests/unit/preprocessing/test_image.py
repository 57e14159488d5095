"""Pictures of any size become pixels of one size."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tuneloop.api import RequestError
from tuneloop.preprocessing.image import ImagePreprocessor, ImageSettings, fitted

pytest.importorskip("PIL")


def halves(height: int, width: int) -> np.ndarray:
    """Black on the left, white on the right."""
    pixels = np.zeros((height, width, 1), dtype=np.uint8)
    pixels[:, width // 2 :] = 255
    return pixels


@pytest.mark.parametrize("fit", ["crop", "pad", "stretch"])
@pytest.mark.parametrize("size", [(8, 8), (16, 16), (16, 40), (40, 16), (1, 1), (3, 200)])
def test_every_size_fits(fit: str, size: tuple[int, int]) -> None:
    found = fitted(halves(*size), ImageSettings(height=16, width=16, channels=1, fit=fit))  # type: ignore[arg-type]
    assert (found.shape, found.dtype) == ((16, 16, 1), np.uint8)


def test_what_is_kept_of_a_wide_picture() -> None:
    wide = halves(16, 64)
    wide[:, :8], wide[:, 56:] = 128, 128
    made = {
        fit: fitted(wide, ImageSettings(height=16, width=16, channels=1, fit=fit, resample="nearest"))[:, :, 0]
        for fit in ("crop", "pad", "stretch")
    }
    assert not (made["crop"] == 128).any(), "the middle alone is kept"
    assert (made["stretch"][:, 0] == 128).all(), "all of it is kept"
    assert (made["pad"][0] == 0).all(), "black is put above"
    assert (made["pad"][7, :2] == 128).all()


def test_the_margin_is_cut_off() -> None:
    framed = np.full((32, 32, 1), 255, dtype=np.uint8)
    framed[2:30, 2:30] = 0
    kept = fitted(framed, ImageSettings(height=16, width=16, channels=1, margin=0.875, resample="nearest"))
    assert kept.max() == 0


def test_a_picture_of_the_right_size_is_not_touched() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (16, 16, 3)).astype(np.uint8)
    made = ImagePreprocessor(ImageSettings(height=16, width=16))
    (group,) = made.encode(made.check([{"image": {"array": pixels.tolist()}}]))
    assert np.array_equal(group.inputs["pixels"][0].transpose(1, 2, 0), pixels)


def test_a_bad_row_is_named(tmp_path: Path) -> None:
    made = ImagePreprocessor(ImageSettings(height=16, width=16))
    made.save(tmp_path)
    again = ImagePreprocessor.load(tmp_path)
    with pytest.raises(RequestError, match="row 1, field 'image': is not base64"):
        again.check([{"image": {"array": [[1]]}}, {"image": "?"}])
    with pytest.raises(RequestError, match="is absent"):
        again.check([{}])
