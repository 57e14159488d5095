"""`image`: one column of pictures to pixels of one size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
import pydantic
from numpy.typing import NDArray

from tuneloop.api import Column, Columns, Encoded, Preprocessor, RequestError, Row, Tensor
from tuneloop.preprocessing.picture import Picture, PictureError
from tuneloop.preprocessing.rows import check_columns

if TYPE_CHECKING:
    from datasets import Dataset

_SETTINGS = "image.json"
PIXELS = "pixels"
"""The one model input."""


class ImageSettings(pydantic.BaseModel):
    """What a base model says about the pictures it reads."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    height: int = pydantic.Field(224, ge=4, le=2048, description="Pixels from top to bottom.")
    width: int = pydantic.Field(224, ge=4, le=2048, description="Pixels from left to right.")
    channels: Literal[1, 3] = pydantic.Field(3, description="3 for colours, 1 for grey.")
    fit: Literal["crop", "pad", "stretch"] = pydantic.Field(
        "crop",
        description="How a picture of another shape is made to fit: its middle is cut out, black is put around it, or "
        "it is stretched.",
    )
    margin: float = pydantic.Field(
        1.0, ge=0.5, le=1.0, description="Share of each side that `crop` keeps, as 224 of 256 pixels are."
    )
    resample: Literal["nearest", "bilinear", "bicubic", "lanczos"] = pydantic.Field(
        "bilinear", description="How pixels are computed when the size changes."
    )
    column: str = pydantic.Field("image", description="The request column that holds the picture.")


class ImagePreprocessor(Preprocessor):
    """Decodes and resizes one picture a row: `pixels uint8 [batch, channels, height, width]`.

    The model itself scales and shifts the numbers: eight bits a pixel are a quarter of what floats would take.
    """

    name = "image"

    def __init__(self, settings: ImageSettings) -> None:
        super().__init__()
        self.settings = settings
        self.columns = (Column(settings.column, "image"),)
        self.tensors = (Tensor(PIXELS, "uint8", ("batch", settings.channels, settings.height, settings.width)),)

    @classmethod
    def fit(cls, options: Mapping[str, Any], columns: Columns, rows: Dataset) -> Self:  # noqa: ARG003
        """The size is the base model's; nothing is learned from the rows."""
        return cls(ImageSettings(**options, column=columns.inputs["image"]))

    def check(self, rows: Sequence[Row]) -> list[Row]:
        """Every row has the one column, a picture that can be read; it becomes a `Picture`."""
        name = self.settings.column
        checked: list[Row] = []
        for position, row in enumerate(rows):
            check_columns(row, self.columns, position)
            try:
                checked.append({name: Picture.read(row[name], self.settings.channels)})
            except PictureError as error:
                raise RequestError(str(error), field=name, row=position) from error
        return checked

    def encode(self, rows: Sequence[Row]) -> list[Encoded]:
        """One group: all rows have the same size."""
        settings = self.settings
        pixels = np.empty((len(rows), settings.channels, settings.height, settings.width), dtype=np.uint8)
        for position, row in enumerate(rows):
            pixels[position] = fitted(row[settings.column].pixels, settings).transpose(2, 0, 1)
        return [Encoded(tuple(range(len(rows))), {PIXELS: pixels})]

    def save(self, folder: Path) -> None:
        """Write the settings."""
        (folder / _SETTINGS).write_text(self.settings.model_dump_json(indent=1) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """The inverse of `save`."""
        return cls(ImageSettings.model_validate_json((folder / _SETTINGS).read_bytes()))


def fitted(pixels: NDArray[np.uint8], settings: ImageSettings) -> NDArray[np.uint8]:
    """The picture in the wanted size, `uint8 [height, width, channels]`."""
    from PIL import Image

    height, width = pixels.shape[:2]
    wanted = (settings.width, settings.height)
    whole = settings.fit != "crop" or settings.margin == 1.0
    if (width, height) == wanted and whole:
        return pixels
    image = Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)
    how = Image.Resampling[settings.resample.upper()]
    if settings.fit == "pad":
        scale = min(wanted[0] / width, wanted[1] / height)
        size = max(1, round(width * scale)), max(1, round(height * scale))
        image, inner = Image.new(image.mode, wanted), image.resize(size, how)
        image.paste(inner, ((wanted[0] - size[0]) // 2, (wanted[1] - size[1]) // 2))
    elif settings.fit == "stretch":
        image = image.resize(wanted, how)
    else:
        # The largest part of the wanted shape around the middle, less the margin.
        scale = min(width / wanted[0], height / wanted[1]) * settings.margin
        across, down = wanted[0] * scale, wanted[1] * scale
        left, top = (width - across) / 2, (height - down) / 2
        image = image.resize(wanted, how, box=(left, top, left + across, top + down))
    return np.asarray(image, dtype=np.uint8).reshape(settings.height, settings.width, settings.channels)
