"""`image-classification`: one picture in, one label out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from tuneloop.tasks.classification import Classification


class ImageClassification(Classification):
    """One label for one picture."""

    name = "image-classification"
    roles: ClassVar[Mapping[str, str]] = {"image": "The column that holds the picture: base64 of an image file."}
