"""Brightness, contrast, size and shape of pictures."""

from __future__ import annotations

import numpy as np
import pytest

from tuneloop.api import Column, SignalBatch
from tuneloop.monitoring.image_signals import ImageBrightness, ImageContrast, ImageRatio, ImageSize
from tuneloop.preprocessing.picture import Picture

pytest.importorskip("PIL")
COLUMNS = (Column("image", "image"), Column("text", "text"))


def read(cls: type, *pictures: object) -> list[float]:
    (signal,) = cls.create(COLUMNS, (), ("a", "b"), 0)
    assert signal.label == f"{cls.name}:image"
    rows = [{"image": picture} for picture in pictures]
    return list(signal.read(SignalBatch(rows, (), {}, [{}] * len(rows))))


def test_what_is_read_of_a_picture() -> None:
    dark, wide = Picture.read({"array": [[0, 10]]}), Picture.read({"array": [[255] * 8] * 2})
    assert read(ImageBrightness, dark, wide) == [5.0, 255.0]
    assert read(ImageContrast, dark, wide) == [5.0, 0.0]
    assert read(ImageSize, dark, wide) == [pytest.approx(2**0.5), 4.0]
    assert read(ImageRatio, dark, wide) == [2.0, 4.0]


def test_rows_from_the_store_hold_no_pixels() -> None:
    for cls in (ImageBrightness, ImageContrast, ImageSize, ImageRatio):
        assert np.isnan(read(cls, str(Picture.read({"array": [[1]]})), None)).all()


def test_models_without_pictures_have_no_such_signal() -> None:
    assert ImageSize.create((Column("text", "text"),), (), ("a",), 0) == []
