"""Signals of models that read pictures: how bright, how rich in contrast, how large, and of what shape."""

# `create` has the interface's arguments, of which each signal needs only some.
# ruff: noqa: ARG003
from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuneloop.api import Column, Signal, SignalBatch, Tensor

_MOST_SIDE = 256
"""Pixels of a side that are looked at: brightness needs no more."""


class ImageSignal(Signal):
    """A number read from the picture of a row."""

    kind = "number"

    @classmethod
    def create(
        cls, columns: Sequence[Column], tensors: Sequence[Tensor], output_names: Sequence[str], embedding_size: int
    ) -> Sequence[Signal]:
        """One signal a column of pictures."""
        return [cls(column.name) for column in columns if column.kind == "image"]

    def __init__(self, column: str) -> None:
        super().__init__()
        self.column, self.label = column, f"{self.name}:{column}"

    def read(self, batch: SignalBatch) -> NDArray[Any]:
        """`float64 [n]`; NaN where there is no picture, as in rows from the store."""
        pictures = (getattr(row.get(self.column), "pixels", None) for row in batch.rows)
        return np.array([np.nan if pixels is None else self.measure(pixels) for pixels in pictures], dtype=np.float64)

    @abstractmethod
    def measure(self, pixels: NDArray[np.uint8]) -> float:
        """The number of one picture, `uint8 [height, width, 1 or 3]`."""


class ImageBrightness(ImageSignal):
    """How bright a picture is: the mean of its pixels, 0 (black) to 255 (white)."""

    name = "image-brightness"

    def measure(self, pixels: NDArray[np.uint8]) -> float:
        """Of every so many pixels of a large picture."""
        return float(_thinned(pixels).mean())


class ImageContrast(ImageSignal):
    """How rich in contrast a picture is: the standard deviation of its pixels, 0 to 127.5."""

    name = "image-contrast"

    def measure(self, pixels: NDArray[np.uint8]) -> float:
        """Of every so many pixels of a large picture."""
        return float(_thinned(pixels).std())


class ImageSize(ImageSignal):
    """How large a picture is: the square root of its number of pixels."""

    name = "image-size"

    def measure(self, pixels: NDArray[np.uint8]) -> float:
        """As it was sent, before any resizing."""
        return float(np.sqrt(pixels.shape[0] * pixels.shape[1]))


class ImageRatio(ImageSignal):
    """Of what shape a picture is: its width by its height."""

    name = "image-ratio"

    def measure(self, pixels: NDArray[np.uint8]) -> float:
        """Above 1 for a picture that is wider than high."""
        return float(pixels.shape[1] / pixels.shape[0])


def _thinned(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    steps = [max(1, side // _MOST_SIDE) for side in pixels.shape[:2]]
    return pixels[:: steps[0], :: steps[1]]
